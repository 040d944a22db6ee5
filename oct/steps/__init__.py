"""The journey of a message, one module a step; the listing of this folder is the list of what the concentrator does."""
