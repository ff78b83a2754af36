"""What the commands in tools/ share: this checkout, its virtual environment, and Debian's packages.

Standard library alone: it runs before anything else is installed.
"""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
