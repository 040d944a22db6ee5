"""The decisions of the concentrator, pure: the same arguments give the same answer, whatever the machine does."""
