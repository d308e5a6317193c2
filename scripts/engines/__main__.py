"""`python -m scripts.engines`: what scripts/build_engine becomes once the environment is there."""

import sys

from scripts.engines.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
