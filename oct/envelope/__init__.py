"""From a message to the file in it, and from a file to the message that carries it: formats and cryptography joined."""
