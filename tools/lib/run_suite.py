"""What tools/test runs once there is a Python. It uses the standard library alone: nothing else is there yet."""

import sys

from suite import cli

if __name__ == '__main__':
    sys.exit(cli.main(sys.argv[1:]))
