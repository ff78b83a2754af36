"""`python -m tools.benchmark`."""

import sys

from tools.benchmark.cli import main

sys.exit(main(sys.argv[1:]))
