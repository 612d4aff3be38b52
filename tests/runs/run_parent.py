"""What test_runs.py starts to stop it from outside: a program with a run that hangs."""

import sys
from dataclasses import replace
from pathlib import Path

from tapebook import runs
from tapebook.config import Config

if __name__ == "__main__":
    home, notebooks, how = sys.argv[1:]
    config = replace(Config.load(home), notebooks=Path(notebooks))
    try:
        runs.run(config, "trouble", {"how": how})
    except KeyboardInterrupt:
        sys.exit(7)
