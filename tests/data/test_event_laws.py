"""The laws of the outbox, under every order of events, failures, crashes and lapsed leases."""

import atexit
import shutil
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import update

from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.data.catalog.event_types import RunFinished, ScanHit
from tapebook.data.catalog.events import Patience, put
from tapebook.data.catalog.outbox_tables import event_cursors
from tapebook.integration.event_delivery import Undelivered, redeliver


class Crash(BaseException):
    """The program ends in the middle."""


def hit(symbol):
    return ScanHit(scan="dips", symbol=symbol, change="entered", bar="2026-11-25")


@cache
def migrated():
    """A desk whose empty catalogue has its tables: one for all examples."""
    home = Path(mkdtemp())
    atexit.register(shutil.rmtree, home)
    with closing(Catalog.open(Config.load(home))) as catalog:
        catalog.subscribers.forget_gone()
    return home


class Outbox(RuleBasedStateMachine):
    """A model beside the catalogue: what each subscriber must have had, and in which order."""

    def __init__(self):
        super().__init__()
        self.home = Path(mkdtemp())
        (self.home / "data").mkdir()
        shutil.copy(migrated() / "data" / "desk.sqlite", self.home / "data")
        self.catalog = Catalog.open(Config.load(self.home))
        self.written = {"scan.hit": [], "run.finished": []}
        self.since, self.had, self.dead = {}, {}, {}
        self.letters, self.late = {}, {}
        self.held = {}
        self.number = 0

    @rule(topic=st.sampled_from(["scan.hit", "run.finished"]), undone=st.booleans())
    def write(self, topic, undone):
        self.number += 1
        if topic == "scan.hit":
            event = hit(f"S{self.number}")
        else:
            event = RunFinished(run=f"r{self.number}", template="t", outcome="succeeded")
        try:
            with self.catalog._rows.writing() as connection:
                put(connection, event)
                if undone:
                    raise KeyError
        except KeyError:
            return
        self.written[topic].append(event.id)

    @rule(name=st.sampled_from(["s0", "s1"]))
    def subscribe(self, name):
        self.catalog.subscribers.add(name, "webhook", ["scan.hit", "run.finished"])
        if name not in self.since:
            self.since[name] = {topic: len(ids) for topic, ids in self.written.items()}
            self.had[name] = {topic: [] for topic in self.written}
            self.dead[name] = {topic: [] for topic in self.written}
            self.letters[name], self.late[name] = {}, []

    @precondition(lambda self: self.since)
    @rule(data=st.data(), topic=st.sampled_from(["scan.hit", "run.finished"]), worker=st.integers(0, 1))
    def claim(self, data, topic, worker):
        name = data.draw(st.sampled_from(sorted(self.since)))
        held = self.catalog.subscribers.claim(name, topic, f"w{worker}", 1000)
        other = self.held.get((name, topic))
        assert (held is None) == (other is not None and other[0] != worker)
        if held is not None:
            self.held[name, topic] = (worker, held)

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(), how=st.sampled_from(["ok", "fail", "crash before", "crash after", "lapse", "release"])
    )
    def deliver(self, data, how):
        key = data.draw(st.sampled_from(sorted(self.held)))
        (name, topic), (_, held) = key, self.held[key]
        if how == "release":
            self.catalog.subscribers.release(held)
            del self.held[key]
            return
        if how in ("lapse", "crash before"):
            self._lapse(key)
            return
        current = self.catalog.subscribers.claim(name, topic, held.holder, 1000)
        waiting = self.catalog.events.after(current.after, [topic], limit=1)
        if not waiting:
            return
        (event,) = waiting
        if how == "fail":
            _, dead = self.catalog.subscribers.failed(current, event, "500", Patience(tries=2, first=0))
            if dead:
                self.dead[name][topic].append(event.id)
                self.letters[name][event.id] = (False, 2)
            return
        self.had[name][topic].append(event.id)
        if how == "crash after":  # it was received, and nobody wrote that down
            self._lapse(key)
            return
        assert self.catalog.subscribers.delivered(current, event.seq)

    def _lapse(self, key):
        del self.held[key]
        with self.catalog._rows.writing() as connection:
            here = (event_cursors.c.subscriber == key[0]) & (event_cursors.c.topic == key[1])
            connection.execute(update(event_cursors).where(here).values(lease=0.0))

    @precondition(lambda self: any(self.letters.values()))
    @rule(data=st.data(), one=st.booleans())
    def ask_for_redelivery(self, data, one):
        """Of one letter by its number, or of all of a subscriber's."""
        name = data.draw(st.sampled_from(sorted(self.since)))
        rows = self.catalog.subscribers.letters(name)
        rows = rows[:1] if one else rows
        numbers = [row["seq"] for row in rows] if one else None
        assert self.catalog.subscribers.redeliver(numbers, name) == len(rows)
        for row in rows:
            self.letters[name][row["event_id"]] = (True, row["tries"])

    @precondition(lambda self: any(self.letters.values()))
    @rule(data=st.data(), how=st.sampled_from(["ok", "fail", "crash"]))
    def redeliver(self, data, how):
        """What is marked is tried once, oldest first; a letter goes only once its event was had."""
        name = data.draw(st.sampled_from(sorted(self.since)))
        marked = [row["event_id"] for row in self.catalog.subscribers.letters(name, again=True)]
        sent = []

        def send(event):
            sent.append(event.id)
            if how == "fail":
                raise Undelivered("500")
            if how == "crash":
                raise Crash

        letters = self.letters[name]
        try:
            assert redeliver(self.catalog, name, send) == (len(marked) if how == "ok" else 0)
        except Crash:  # and who was to have it may have had it
            assert sent == marked[:1]
            letters[sent[0]] = (False, letters[sent[0]][1])
            return
        assert sent == marked
        for id in sent:
            if how == "ok":
                self.late[name].append(id)
                del letters[id]
            else:
                letters[id] = (False, letters[id][1] + 1)

    @precondition(lambda self: len(self.since) == 2)
    @rule()
    def unsubscribe(self):
        self.catalog.subscribers.remove("s1")
        for kept in (self.since, self.had, self.dead, self.letters, self.late):
            del kept["s1"]
        self.held = {key: value for key, value in self.held.items() if key[0] != "s1"}

    @invariant()
    def nothing_is_skipped_or_out_of_order(self):
        for name, topics in self.had.items():
            for topic, had in topics.items():
                due = self.written[topic][self.since[name][topic] :]
                first_time = list(dict.fromkeys(had + self.dead[name][topic]))
                assert sorted(first_time, key=due.index) == due[: len(first_time)], "a gap"
                once = list(dict.fromkeys(had))
                assert once == sorted(once, key=due.index), "out of order"

    @invariant()
    def a_letter_is_dead_until_it_was_had(self):
        for name, letters in self.letters.items():
            rows = self.catalog.subscribers.letters(name)
            assert {row["event_id"]: (row["again"], row["tries"]) for row in rows} == letters
            died = {id for ids in self.dead[name].values() for id in ids}
            assert letters.keys() | set(self.late[name]) == died, "none is lost"
            assert not letters.keys() & set(self.late[name])

    def teardown(self):
        """Whatever came before, an honest worker brings the rest."""
        try:
            for name, topic in [(n, t) for n in self.since for t in self.written]:
                if (name, topic) in self.held:
                    self._lapse((name, topic))
                held = self.catalog.subscribers.claim(name, topic, "last", 10)
                rest = [event.id for event in self.catalog.events.after(held.after, [topic])]
                due = self.written[topic][self.since[name][topic] :]
                assert set(self.had[name][topic] + self.dead[name][topic] + rest) == set(due)
        finally:
            self.catalog.close()
            shutil.rmtree(self.home)


Outbox.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestOutbox = Outbox.TestCase
