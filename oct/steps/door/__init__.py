"""The parts of `receive`: whose a message is, and what becomes of what the door refuses or slows down."""
