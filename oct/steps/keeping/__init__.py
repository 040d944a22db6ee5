"""What is kept, for how long, and under which key."""
