"""`python -m tl_search` is `tl`."""

import sys

from tl_search.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
