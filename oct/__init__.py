"""An open OCT concentrator: electronic claims in, each lot to its insurer, each return to its practitioner."""

__version__ = "0.1.0"
