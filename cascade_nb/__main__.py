"""`python -m cascade_nb` is the command `cascade-nb`."""

from __future__ import annotations

import sys

from cascade_nb.terminal.main import main

if __name__ == "__main__":
    sys.exit(main())
