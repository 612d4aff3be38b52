"""Many writers of one item: of those that saw the same state one is the first, and nobody's word is lost."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.errors import Changed, Deleted

WRITERS = 6


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_one_of_many_is_the_first_and_the_others_are_told(engine, request, tmp_path):
    config = Config.load(tmp_path)
    if engine == "postgres":
        config = replace(config, database=request.getfixturevalue("postgres_url"))
    asked = {"expression": "close > 1", "symbols": None, "freq": "1d", "adjust": "splits"}
    with closing(Catalog.open(config)) as catalog:
        catalog.screens.save("dips", asked)

    def write(n):
        """Say something of the first state, something whatever the state, and delete what was said first."""
        with closing(Catalog.open(config)) as mine:
            try:
                mine.items.note("screen", "dips", f"note {n}", seen=1)
                first = [n]
            except Changed:
                first = []
            mine.items.tag("screen", "dips", [f"tag-{n}"])
            return first

    with ThreadPoolExecutor(WRITERS) as pool:
        firsts = sum(pool.map(write, range(WRITERS)), [])
    with closing(Catalog.open(config)) as catalog:
        item = catalog.items.get("screen", "dips")
        assert item["tags"] == [f"tag-{n}" for n in range(WRITERS)], "no tag was lost"
        assert len(firsts) <= 1
        assert item["note"] == (f"note {firsts[0]}" if firsts else "")
        assert item["revision"] == 1 + WRITERS + len(firsts) == len(catalog.items.history("screen", "dips"))

    def delete(n):
        with closing(Catalog.open(config)) as mine:
            try:
                mine.trash.put("screen", "dips")
            except Deleted:
                return 0
            return 1

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sum(pool.map(delete, range(WRITERS))) == 1
    with closing(Catalog.open(config)) as catalog:
        assert len(catalog.trash.list()) == 1
