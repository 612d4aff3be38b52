"""One search on both databases: words, prefixes, phrases, accents, punctuation, ranking."""

from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.errors import BadParameter, UnknownName

NOTES = {
    "bt-1": "Slow exit after the crème brûlée: 50% less turnover",
    "bt-2": "exit slow",
    "bt-3": "C++/AAPL.US & sma_cross(10,50) -- 'quoted' \"double\" 100%",
    "bt-4": "Straße nach ÄGYPTEN",
    "bt-5": "",
}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def catalog(request, tmp_path_factory):
    config = Config.load(tmp_path_factory.mktemp("search"))
    if request.param == "postgres":
        import psycopg

        host, port, user = request.getfixturevalue("postgres_server")
        where = f"postgresql://{user}@{host}:{port}"
        with psycopg.connect(f"{where}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE words")
        config = replace(config, database=f"{where}/words")
    with closing(Catalog.open(config)) as catalog:
        empty = {"symbols": ["AAPL"], "params": {}, "rules": {}, "metrics": {}, "strategy": "trend"}
        for day, (id, note) in enumerate(NOTES.items(), 1):
            made = f"2026-01-0{day}T00:00:00+00:00"
            catalog.results.add(empty | {"id": id, "created": made}, note=note)
        asked = {"symbols": None, "freq": "1d", "adjust": "splits"}
        catalog.screens.save("slow-dips", asked | {"expression": "close > sma(200)", "note": ""})
        catalog.items.tag("result", "bt-5", ["to-review", "exit"])
        yield catalog


def found(catalog, query, **more):
    return [row["name"] for row in catalog.search.find(query, **more)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("exit", ["bt-5", "bt-2", "bt-1"]),  # a tag counts more than a note; of equals the newest is first
        ("slow", ["slow-dips", "bt-2", "bt-1"]),  # a name counts most
        ("slo", ["slow-dips", "bt-2", "bt-1"]),
        ("low", []),
        ("slow exit", ["bt-2", "bt-1"]),
        ("EXIT   Slow", ["bt-2", "bt-1"]),
        ('"slow exit"', ["bt-1"]),
        ('"slow exi"', []),
        ('"exit slow', ["bt-2"]),
        ("creme", ["bt-1"]),
        ("BRÛLÉE", ["bt-1"]),
        ("strasse", ["bt-4"]),
        ("ägypt", ["bt-4"]),
        ("sma_cross", ["bt-3"]),
        ("sma_cr", ["bt-3"]),
        ("sma", ["slow-dips", "bt-3"]),
        ("aapl.us", ["bt-3"]),
        ("c++", ["bt-3", "bt-1"]),  # the word c, from which crème and close begin
        ("50%", ["bt-3", "bt-1"]),
        ("to-review", ["bt-5"]),
        ("trend -exit", ["bt-5", "bt-2", "bt-1"]),
        ("dips sma", ["slow-dips"]),
        ("nothing", []),
    ],
)
def test_what_a_query_finds_and_in_which_order(catalog, query, names):
    got = found(catalog, query)
    if query == "c++":
        assert set(got) == {"bt-1", "bt-3", "slow-dips"}
    else:
        assert got == names


@pytest.mark.parametrize(
    "query", ["", " ", '"', "* AND (", "--", "'; DROP TABLE words", "NEAR(a b)", "a:b", "%_", "&|!<->"]
)
def test_whatever_is_typed_is_a_query_or_a_plain_error(catalog, query):
    if any(letter.isalnum() for letter in query):
        assert isinstance(found(catalog, query), list)
    else:
        with pytest.raises(BadParameter, match="at least one letter or digit"):
            found(catalog, query)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=20))
def test_no_text_breaks_it_and_what_is_said_is_found(catalog, text):
    text = text.replace("\x00", "")
    catalog.items.note("result", "bt-5", f"marker {text}")
    assert "bt-5" in found(catalog, "marker " + text.replace('"', " "), limit=None)


def test_kinds_and_tags_narrow_it(catalog):
    assert found(catalog, "slow", kinds=["screen"]) == ["slow-dips"]
    assert found(catalog, "", tagged=["exit"]) == ["bt-5"]
    assert found(catalog, "trend", tagged=["EXIT", "to-review"]) == ["bt-5"]
    assert found(catalog, "trend", tagged=["exit", "other"]) == []
    assert found(catalog, "trend", limit=2) == ["bt-5", "bt-4"]
    with pytest.raises(UnknownName, match="Did you mean 'result'"):
        found(catalog, "slow", kinds=["results"])


def test_what_changes_is_found_as_it_is_now(catalog):
    asked = {"symbols": None, "freq": "1d", "adjust": "splits"}
    catalog.screens.save("fast", asked | {"expression": "volume > 5", "note": ""})
    assert found(catalog, "volume") == ["fast"]
    catalog.screens.save("fast", asked | {"expression": "open > 5"})
    assert found(catalog, "volume") == []
    assert found(catalog, "open") == ["fast"]
    catalog.trash.put("screen", "fast")
    assert found(catalog, "open") == []
    catalog.trash.restore("screen", "fast")
    assert found(catalog, "open") == ["fast"]
