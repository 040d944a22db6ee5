"""Drawings made on the server: SVG without script, style or network, that a reader without eyes reads too."""
