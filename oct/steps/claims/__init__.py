"""The parts of `process`: what a practitioner's message comes to, and how that is written down."""
