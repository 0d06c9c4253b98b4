"""Entry point of `python -m clusters`, which `hack/cluster` runs."""

import sys

from clusters.cli import main

sys.exit(main(sys.argv[1:]))
