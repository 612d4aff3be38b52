"""Kept screens on SQLite and on PostgreSQL: versions, runs, events, two runs at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.errors import BadInput, UnknownName

ASKED = {"expression": "close > 1", "symbols": None, "freq": "1d", "adjust": "splits", "note": ""}


@pytest.fixture(params=["sqlite", "postgres"])
def catalog(request, tmp_path):
    config = Config.load(tmp_path)
    if request.param == "postgres":
        config = replace(config, database=request.getfixturevalue("postgres_url"))
    made = Catalog.open(config)
    yield made
    made.close()


def run(catalog, bar, *hits, judged="ABC", version=1):
    told = {"bar": bar, "snapshot": 1, "asked": 3, "used": len(judged)}
    return catalog.screens.ran("s", version, told, {h: {"bar": bar, "close": 2.0} for h in hits}, judged)


def test_runs_tell_what_changed_once(catalog):
    assert catalog.screens.save("s", ASKED) == 1
    assert run(catalog, "2020-01-01", "A").entered is None
    with ThreadPoolExecutor(4) as pool:  # the same news from four at once
        told = list(pool.map(lambda _: run(catalog, "2020-01-02", "B"), range(4)))
    assert sorted(done.entered for done in told) == [(), (), (), ("B",)]
    events = catalog.events.latest(topics=["scan.hit"])
    assert [(e.symbol, e.change) for e in events] == [("B", "entered"), ("A", "left")]
    assert len(catalog.screens.runs("s")) == 5
    with pytest.raises(BadInput, match="was last run on bars to 2020-01-02"):
        run(catalog, "2020-01-01")
    assert catalog.screens.save("s", {**ASKED, "expression": "close > 2"}, version=1) == 2
    with pytest.raises(BadInput, match="changed while it ran"):
        run(catalog, "2020-01-03")
    catalog.screens.delete("s")
    assert catalog.screens.runs("s") == []
    with pytest.raises(UnknownName, match="screen 's' was deleted by"):
        catalog.screens.get("s")
