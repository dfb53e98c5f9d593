"""`python -m penstock.cli`, the same as the `penstock` script."""

import sys

from penstock.cli.main import main

__all__: list[str] = []

sys.exit(main())
