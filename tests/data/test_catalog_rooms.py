"""Documents, universes and revisions keep what they promise on SQLite and on PostgreSQL."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.data.revised import Revised
from tapebook.data.universe import Universe
from tapebook.errors import BadInput, Changed, UnknownName


@pytest.fixture(params=["sqlite", "postgres"])
def catalog(request, tmp_path):
    config = Config.load(tmp_path)
    if request.param == "postgres":
        config = replace(config, database=request.getfixturevalue("postgres_url"))
    with closing(Catalog.open(config)) as catalog:
        yield catalog


def test_the_rooms_of_integrations(catalog):
    documents(catalog.documents)
    universes(catalog.universes)
    revisions(catalog)


def documents(room):
    room.add_target("notes", "folder", {"to": "/x"})
    with pytest.raises(BadInput, match="choose another name"):
        room.add_target("notes", "webhook", {})
    held = room.claim("notes", "apple", "host:1:a")
    assert (held["remote_id"], held["holder"]) == (None, "host:1:a")
    with pytest.raises(BadInput, match="being published to notes by another process"):
        room.claim("notes", "apple", "host:1:b")
    room.put("notes", "apple", remote_id="7", url="u", digest="d", run_id="r", title="t")
    room.release("notes", "apple", "host:1:a")
    assert room.claim("notes", "apple", "host:1:b")["remote_id"] == "7"
    room.failed("notes", "apple", "no room")
    assert [row["error"] for row in room.list()] == ["no room"]
    room.remove_target("notes")
    assert room.list() == []
    with pytest.raises(UnknownName, match="'notes'"):
        room.target("notes")


def universes(room):
    first = Universe.of("pair", [("A", None, "2020-01-31"), ("B", "2020-01-01", None)])
    assert room.save(first, "me") == 1
    read = room.get("pair")
    assert (read.members, read.version) == (first.members, 1)
    assert room.save(read.added("C"), "me") == 2
    with pytest.raises(Changed, match="saved as version 2 by now"):
        room.save(read.added("D"), "you")
    assert room.get("pair", 1).symbols == ["A", "B"]
    assert room.named("@pair").symbols == ["A", "B", "C"]
    assert room.versions() == {"pair": 2}
    with pytest.raises(UnknownName, match="no version of the universe pair named '9'"):
        room.named("@pair@9")
    with pytest.raises(UnknownName, match="Did you mean 'pair'"):
        room.get("pai", 1)
    room.delete("pair")
    assert room.save(Universe.of("pair", ["Z"]), "me") == 3  # a version stays what it was
    assert room.get("pair", 2).symbols == ["A", "B", "C"]


def revisions(catalog):
    day = datetime(2020, 1, 6, tzinfo=UTC)
    one = Revised("A", "1d", 5, day, 2, 0, 0, 3, day, day, 0.01, "note")
    catalog.revisions.add(-1, 5, [one])
    catalog.revisions.add(-1, 6, [one])  # another process was first
    assert catalog.events.mark("revisions") == 5
    catalog.revisions.add(5, 8, [replace(one, symbol="B", snapshot=8, largest=None)])
    assert [row["symbol"] for row in catalog.revisions.list()] == ["B", "A"]
    (row,) = catalog.revisions.list(["A"])
    assert (row["added"], row["known"], row["largest"]) == (3, "2020-01-06T00:00:00+00:00", 0.01)
    assert [row["symbol"] for row in catalog.revisions.list(after=5)] == ["B"]
    result = {"id": "bt-1", "strategy": "s", "symbols": ["A"], "params": {}, "rules": {}, "metrics": {}}
    catalog.results.add(result | {"created": "2020", "run_id": "r-1", "universe": ["@pair@1"]})
    (read,) = catalog.revisions.read_by(["r-1", "r-2"])["r-1"]
    assert (read["id"], read["extra"]["universe"]) == ("bt-1", ["@pair@1"])
    catalog.revisions.add(8, -1, [])  # the lake was made anew
    assert catalog.revisions.list() == []
