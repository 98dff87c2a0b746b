"""`python -m vector_tl`."""

import sys

from vector_tl.cli import main

if __name__ == "__main__":
    sys.exit(main())
