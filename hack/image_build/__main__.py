"""Entry point of `python -m image_build`, which `hack/images` runs."""

import sys

from image_build.cli import main

sys.exit(main(sys.argv[1:]))
