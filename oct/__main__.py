"""`python -m oct`: the command line, for whoever starts it by its interpreter."""

from __future__ import annotations

import sys

from oct.cli import main

if __name__ == "__main__":
    sys.exit(main())
