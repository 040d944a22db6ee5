"""Pure bytes to values and back: no clock, no database, no socket, no randomness, no log."""
