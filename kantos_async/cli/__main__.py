"""`python -m kantos_async.cli` is `kantos`, where the script is not on the path."""

import sys

from kantos_async.cli import main

sys.exit(main())
