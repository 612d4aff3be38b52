"""What test_catalog_processes.py starts: open a catalogue and add rows as fast as it goes."""

import sys
from pathlib import Path

from tapebook.config import Config
from tapebook.data.catalog import Catalog

if __name__ == "__main__":
    home, database, name, count = sys.argv[1:]
    config = Config(Path(home), database, "", Path(home), Path(home), Path(home))
    catalog = Catalog.open(config)
    for i in range(int(count)):
        catalog.results.add(
            {"id": f"{name}-{i}", "strategy": "s", "symbols": ["A", "B"], "created": "2026", "snapshot": i}
        )
        catalog.strategies.save("shared", f"{name} {i}", f"{name}{i}")
    catalog.close()
