"""`python main.py --config FILE` is `reconic train --config FILE`."""

import sys

from reconic.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
