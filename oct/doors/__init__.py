"""What every listening door needs, whatever it speaks: where to listen and how many may come in."""
