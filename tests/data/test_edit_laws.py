"""The laws of bars changed by hand: two writers and a vendor, beside a dictionary."""

import shutil
from pathlib import Path
from tempfile import mkdtemp

import polars as pl
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

from tapebook.config import Config
from tapebook.data.lake import Lake
from tapebook.errors import BadInput, Changed
from tapebook.integration.ingest import ingest
from tapebook.integration.sources import Fetched
from tapebook.integration.sources.base import Instrument
from tapebook.schema import FIELDS

DAYS = pl.datetime_range(
    pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 6), "1d", time_zone="UTC", eager=True
).dt.cast_time_unit("us")
DAY = st.integers(0, len(DAYS) - 1)
CLOSE = st.sampled_from([10.0, 10.5, 11.0])
WHO = st.sampled_from(["ann", "bob"])


def row(day, close):
    return {"ts": DAYS[day], "open": 10.0, "high": 12.0, "low": 9.0, "close": close, "volume": 5.0}


def bars(closes):
    """A frame of the lake's for day → close."""
    rows = [{"symbol": "A", "freq": "1d"} | row(day, close) for day, close in closes.items()]
    return pl.DataFrame(rows, schema_overrides={"ts": pl.Datetime("us", "UTC")})


class Vendor:
    """Sends what it has, again and again."""

    name = "vendor"

    def __init__(self, closes):
        self.closes = closes

    def symbols(self, freq):
        return ["A"]

    def fetch(self, symbol, **asked):
        found = bars(self.closes).select("ts", *FIELDS).sort("ts")
        return Fetched(found, Instrument("A", calendar="24/7"))


class Corrected(RuleBasedStateMachine):
    """`now`: day → close. `last`: the last change by hand of a day. `states`: what was, by snapshot."""

    def __init__(self):
        super().__init__()
        self.home = Path(mkdtemp())
        self.lake = Lake.open(Config.load(self.home))
        self.now = dict.fromkeys(range(3), 10.0)
        self.vendor = dict(self.now)
        self.lake.write(bars(self.now), instruments=pl.DataFrame([{
            "symbol": "A", "calendar": "24/7", "currency": "", "name": "A", "source": "", "asset": "",
        }]))  # fmt: skip
        self.states, self.log, self.last, self.seen = {}, [], {}, {}
        self.note()

    def teardown(self):
        self.lake.close()
        shutil.rmtree(self.home)

    def note(self):
        self.states[self.lake.snapshot()] = dict(self.now)

    def done(self, who, what, before, after, reason="why"):
        """Write a change down as the log of edits must have it."""
        self.log.append((who, what, before, after, reason))
        for day in before.keys() | after.keys():
            self.last[day] = (who, what, reason)
        self.now = {day: c for day, c in {**self.now, **after}.items() if day in after or day not in before}
        self.note()

    def standing(self, day):
        """Who has corrected a day, if it is a correction that stands."""
        who, what, reason = self.last.get(day, ("", "", ""))
        return who if what in ("edited", "added") or (what == "deleted" and reason) else None

    # ---- two writers

    @rule(who=WHO)
    def look(self, who):
        self.seen[who] = self.lake.snapshot()

    @rule(who=WHO, day=DAY, close=CLOSE, known=st.booleans(), add=st.booleans())
    def edit(self, who, day, close, known, add):
        seen = self.seen.get(who) if known else None
        asked = bars({day: close})

        def act():
            return self.lake.edit(asked, reason="why", who=who, seen=seen, add=add)

        if day not in self.now and not add:
            with pytest.raises(BadInput, match="to make a new one"):
                act()
        elif seen is not None and self.states[seen].get(day) != self.now.get(day):
            with pytest.raises(Changed, match="2024-01-0. was changed by"):
                act()
        elif seen is None and self.standing(day) not in (None, who):
            with pytest.raises(Changed, match=f"by {self.standing(day)} on"):
                act()
        else:
            told = act()
            if self.now.get(day) == close:
                assert told.number is None
                return
            before = {day: self.now[day]} if day in self.now else {}
            self.done(who, "edited" if before else "added", before, {day: close})
            assert told.number == len(self.log)

    @rule(who=WHO, day=DAY)
    def wrong(self, who, day):
        snapshot = self.lake.snapshot()
        with pytest.raises((BadInput, Changed)):
            self.lake.edit(bars({day: 99.0}), reason="why", who=who)
        assert self.lake.snapshot() == snapshot

    @precondition(lambda self: len(self.now) > 1)
    @rule(who=WHO, first=DAY, more=st.integers(0, 2), reason=st.sampled_from(["", "bad print"]))
    def delete(self, who, first, more, reason):
        last = min(first + more, len(DAYS) - 1)
        gone = {day: self.now[day] for day in range(first, last + 1) if day in self.now}
        if len(gone) == len(self.now):
            return
        self.lake.delete("A", freq="1d", start=DAYS[first], end=DAYS[last], who=who, reason=reason)
        if gone:
            self.done(who, "deleted", gone, {}, reason)

    @precondition(lambda self: self.log)
    @rule(who=WHO, data=st.data())
    def undo(self, who, data):
        number = data.draw(st.integers(1, len(self.log)))
        _, what, before, after, _ = self.log[number - 1]
        undone = any(entry[1] == "undone" and entry[4] == number for entry in self.log)
        if undone:
            with pytest.raises(BadInput, match="was undone already"):
                self.lake.undo(number, who=who)
            return
        days = before.keys() | after.keys()
        if any(self.now.get(day) != after.get(day) for day in days):
            with pytest.raises(Changed):
                self.lake.undo(number, who=who)
            return
        self.lake.undo(number, who=who)
        self.done(who, "undone", after, before, number)

    # ---- a vendor

    @rule(day=DAY, close=CLOSE)
    def revise(self, day, close):
        self.vendor[day] = close

    @rule()
    def load(self):
        ingest(self.lake, Vendor(self.vendor))
        for day, close in self.vendor.items():
            if self.standing(day) is None:
                self.now[day] = close
        self.note()

    @rule()
    def compact(self):
        """What was before a correction stays; so does the newest."""
        self.lake.compact(keep=[*self.seen.values()], undoable=0)
        kept = set(self.lake.snapshots()["id"])
        log = self.lake.edits(limit=None)
        if len(log):
            correction = (pl.col("what") != "deleted") | (pl.col("reason") != "")
            needed = log.filter(correction & pl.col("undoes").is_null())["seen"]
            assert set(needed) <= kept
        assert {self.lake.snapshot(), *self.seen.values()} <= kept
        self.states = {number: state for number, state in self.states.items() if number in kept}
        self.note()

    # ---- what must hold

    @invariant()
    def the_lake_is_the_dictionary(self):
        found = self.lake.sql("SELECT ts, close FROM bars ORDER BY ts", out="polars")
        assert found["close"].to_list() == [self.now[day] for day in sorted(self.now)]

    @rule(data=st.data())
    def earlier_states_stay(self, data):
        number = data.draw(st.sampled_from(sorted(self.states)))
        found = self.lake.sql("SELECT close FROM bars ORDER BY ts", out="polars", asof=number)
        state = self.states[number]
        assert found["close"].to_list() == [state[day] for day in sorted(state)]

    @rule()
    def every_change_is_written_down(self):
        told = self.lake.edits(limit=None)
        assert sorted(set(told["number"].to_list() if len(told) else [])) == list(range(1, len(self.log) + 1))
        for number, (who, _, before, after, _) in enumerate(self.log, 1):
            rows = self.lake.edits(number=number)
            assert set(rows["who"]) == {who}
            then = {DAYS[day]: close for day, close in before.items()}
            since = {DAYS[day]: close for day, close in after.items()}
            assert {
                ts: c for ts, c in zip(rows["ts"], rows["was_close"], strict=True) if c is not None
            } == then
            assert {ts: c for ts, c in zip(rows["ts"], rows["close"], strict=True) if c is not None} == since


Corrected.TestCase.settings = settings(max_examples=2, stateful_step_count=14, deadline=None)
TestCorrected = Corrected.TestCase


@pytest.mark.slow
def test_the_same_laws_for_longer():
    run_state_machine_as_test(
        Corrected, settings=settings(max_examples=4, stateful_step_count=20, deadline=None)
    )
