"""`python -m reconic`, the same as `reconic`."""

import sys

from reconic.cli import main

sys.exit(main())
