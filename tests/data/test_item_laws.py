"""The laws of whatever is kept: two writers, notes, tags, deletions and returns beside a plain dictionary."""

import atexit
import shutil
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.data.catalog.tables import metadata
from tapebook.errors import BadInput, Changed, Deleted, UnknownName

WORDS = st.lists(st.sampled_from(["slow", "exit", "Café", "mean-reversion", "", "x_1"]), max_size=3).map(
    " ".join
)
TAGS = st.sets(st.sampled_from(["good", "to-review", "ÜBER"]), max_size=2)
NAMES = st.sampled_from(["dips", "calm"])
WRITER = st.integers(0, 1)


def result(id):
    said = {"id": id, "strategy": "sma_cross", "symbols": ["AAPL"], "params": {}, "rules": {}, "metrics": {}}
    return said | {"created": "2026-01-02T03:04:05+00:00", "snapshot": 7, "code_hash": "abc"}


def screen(expression):
    return {"expression": expression, "symbols": None, "freq": "1d", "adjust": "splits"}


@cache
def migrated():
    """A desk whose empty catalogue has its tables: one for all examples."""
    home = Path(mkdtemp())
    atexit.register(shutil.rmtree, home)
    with closing(Catalog.open(Config.load(home))) as catalog:
        catalog.subscribers.forget_gone()
    return home


class Kept(RuleBasedStateMachine):
    """`live` holds what there is, `gone` what lies in the trash, `revision` what every name has come to."""

    def __init__(self, catalog=None):
        super().__init__()
        self.home = None
        if catalog is None:
            self.home = Path(mkdtemp())
            (self.home / "data").mkdir()
            shutil.copy(migrated() / "data" / "desk.sqlite", self.home / "data")
            catalog = Catalog.open(Config.load(self.home))
        self.catalog = catalog
        self.live, self.gone, self.revision, self.seen = {}, {}, {}, {}
        self.number = 0

    def teardown(self):
        if self.home:
            self.catalog.close()
            shutil.rmtree(self.home)

    def grown(self, key, what, content=None):
        self.revision[key] = self.revision.get(key, 0) + 1
        if content is not None:
            self.live[key] = content

    def at(self, key):
        """The revision of what is there; a name that is used again goes on counting."""
        return self.revision[key]

    # ---- create, update

    @rule()
    def add_result(self):
        self.number += 1
        key = ("result", f"bt-{self.number}")
        self.catalog.results.add(result(key[1]))
        self.grown(key, "created", {"note": "", "tags": set(), "content": "sma_cross"})

    @rule(name=NAMES, expression=st.sampled_from(["close > 1", "close > 2"]), version=st.integers(0, 4))
    def save_screen(self, name, expression, version):
        """A version of 0 overwrites whatever is there; another must be the newest."""
        key = ("screen", name)
        now = self.live.get(key)
        found = None if now is None else now["version"]
        if version and version != found:
            with pytest.raises(Changed, match="is gone" if found is None else f"at version {found} by now"):
                self.catalog.screens.save(name, screen(expression), version)
            return
        saved = self.catalog.screens.save(name, screen(expression), version or None)
        if now is None:
            self.grown(key, "created", {"note": "", "tags": set(), "content": expression, "version": 1})
        elif now["content"] != expression:
            self.grown(key, "changed", now | {"content": expression, "version": found + 1})
        assert saved == self.live[key]["version"]

    @precondition(lambda self: self.live)
    @rule(data=st.data(), writer=WRITER)
    def read(self, data, writer):
        key = data.draw(st.sampled_from(sorted(self.live)))
        self.seen[writer, key] = self.catalog.items.get(*key)["revision"]

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), text=WORDS)
    def note(self, data, text):
        self._write(data, lambda key, seen: self.catalog.items.note(*key, text, seen=seen), {"note": text})

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), come=TAGS, go=TAGS)
    def tag(self, data, come, go):
        come, go = {tag.casefold() for tag in come}, {tag.casefold() for tag in go}
        self._write(data, lambda key, seen: self.catalog.items.tag(*key, come, go, seen=seen), (come, go))

    def _write(self, data, act, what):
        """A change of what a writer has read: refused if it is another by now, whoever changed it."""
        writer, key = data.draw(st.sampled_from(sorted(self.seen)))
        seen = self.seen[writer, key]
        if key not in self.live:
            with pytest.raises(UnknownName):
                act(key, seen)
        elif seen != self.at(key):
            with pytest.raises(Changed, match=f"revision {self.at(key)}, and this change was made from"):
                act(key, seen)
        else:
            act(key, seen)
            now = self.live[key]
            if isinstance(what, dict):
                now = now | what
                if "version" in now:
                    now["version"] += 1
            else:
                now = now | {"tags": (now["tags"] | what[0]) - what[1]}
            self.grown(key, "changed", now)
            self.seen[writer, key] = self.at(key)

    # ---- delete, restore, empty

    @precondition(lambda self: self.live)
    @rule(data=st.data(), writer=WRITER, blind=st.booleans())
    def delete(self, data, writer, blind):
        key = data.draw(st.sampled_from(sorted(self.live)))
        seen = None if blind else self.seen.get((writer, key))
        if seen is not None and seen != self.at(key):
            with pytest.raises(Changed):
                self.catalog.trash.put(*key, seen=seen)
            return
        self.catalog.trash.put(*key, seen=seen)
        self.gone.setdefault(key, []).append(self.live.pop(key))
        self.grown(key, "deleted")
        with pytest.raises(Deleted, match="brings it back"):
            self.catalog.items.get(*key)

    @precondition(lambda self: self.gone)
    @rule(data=st.data(), writer=WRITER, blind=st.booleans())
    def restore(self, data, writer, blind):
        """Who restores says the revision that the trash shows, or one that he read before the deletion."""
        key = data.draw(st.sampled_from(sorted(self.gone)))
        seen = None if blind else self.seen.get((writer, key), self.at(key))
        if seen not in (None, self.at(key)):
            with pytest.raises(Changed, match=f"at revision {self.at(key)}"):
                self.catalog.trash.restore(*key, seen=seen)
            return
        if key in self.live:
            with pytest.raises(BadInput, match="there is another"):
                self.catalog.trash.restore(*key)
            return
        self.catalog.trash.restore(*key, seen=seen)
        self.grown(key, "restored", self.gone[key].pop())
        if not self.gone[key]:
            del self.gone[key]

    @precondition(lambda self: self.gone)
    @rule(data=st.data(), killed=st.booleans())
    def empty(self, data, killed):
        """What was begun cannot come back, and is ended by whoever empties next."""
        key = data.draw(st.sampled_from(sorted(self.gone)))
        number = next(r["number"] for r in self.catalog.trash.list() if (r["kind"], r["name"]) == key)
        assert self.catalog.trash.begin(number)["name"] == key[1]
        if killed:
            if key not in self.live:
                with pytest.raises(BadInput, match="being destroyed"):
                    self.catalog.trash.restore(*key)
            assert self.catalog.trash.begin(number) is not None
        self.catalog.trash.end(number)
        assert self.catalog.trash.begin(number) is None
        self.gone[key].pop()
        if not self.gone[key]:
            del self.gone[key]
        if key not in self.live:
            self.grown(key, "emptied")

    @rule()
    def words_find_what_has_them(self):
        for word, asked in (("slow", "SLOW"), ("Café", "cafe"), ("mean-reversion", '"mean reversion"')):
            found = {(row["kind"], row["name"]) for row in self.catalog.search.find(asked, limit=None)}
            assert found == {key for key, now in self.live.items() if word in now["note"].split()}
        found = {
            (row["kind"], row["name"]) for row in self.catalog.search.find("", tagged=["Über"], limit=None)
        }
        assert found == {key for key, now in self.live.items() if "über" in now["tags"]}

    # ---- what must hold

    @invariant()
    def what_is_kept_is_what_was_done(self):
        catalog = self.catalog
        assert {("result", r["id"]) for r in catalog.results.list(limit=None)} == self.of("result")
        assert {("screen", r["name"]) for r in catalog.screens.list()} == self.of("screen")
        lying = sorted((r["kind"], r["name"]) for r in catalog.trash.list())
        assert lying == sorted(key for key, stack in self.gone.items() for _ in stack)
        for key, now in self.live.items():
            item = catalog.items.get(*key)
            assert (item["note"], set(item["tags"])) == (now["note"], now["tags"])
            assert item["revision"] == self.at(key)
        for kind, name in self.of("screen"):
            row = catalog.screens.get(name)
            assert (row.expression, row.version) == tuple(
                self.live[kind, name][k] for k in ("content", "version")
            )

    def of(self, kind):
        return {key for key in self.live if key[0] == kind}


Kept.TestCase.settings = settings(max_examples=8, stateful_step_count=25, deadline=None)
TestKept = Kept.TestCase


def test_the_same_laws_on_postgres(postgres_url, tmp_path):
    from dataclasses import replace

    with closing(Catalog.open(replace(Config.load(tmp_path), database=postgres_url))) as catalog:

        def fresh():
            with catalog._rows.writing() as connection:
                for table in reversed(metadata.sorted_tables):
                    if table.name in ("changes", "tags", "trash", "words", "indexed", "results", "screens"):
                        connection.execute(delete(table))
            return Kept(catalog)

        run_state_machine_as_test(
            fresh, settings=settings(max_examples=2, stateful_step_count=20, deadline=None)
        )
