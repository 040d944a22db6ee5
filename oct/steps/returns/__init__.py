"""The parts of `deliver`: what a return says, what it changes, in what envelope it goes on."""
