"""What test_batch.py starts and kills: a program that works on a batch."""

import json
import sys

from tapebook.config import Config
from tapebook.runs import batch

if __name__ == "__main__":
    home, said = sys.argv[1:]
    config = Config.load(home)
    if said.startswith("batch-"):
        batch.resume(config, said)
    else:
        batch.run_many(config, "state", json.loads(said), jobs=2)
