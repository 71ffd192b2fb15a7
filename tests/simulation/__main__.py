"""`python -m tests.simulation --seeds N --from K`: see docs/simulation.md."""

import sys

from tests.simulation.runner import main

sys.exit(main())
