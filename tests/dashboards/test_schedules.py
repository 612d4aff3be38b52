"""How schedules stand, for those who look at the dashboards; late ones are warned of."""

from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import insert

from tapebook.config import Config
from tapebook.dashboards import schedules
from tapebook.dashboards.gallery import Summaries, page
from tapebook.dashboards.schedules import Board
from tapebook.dashboards.visible import Visible
from tapebook.data.catalog import Catalog
from tapebook.data.catalog.outbox_tables import occasions
from tapebook.runs.publish import publish
from tapebook.runs.schedule_state import states

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAILY = {"kind": "cron", "cron": "0 18 * * *", "tz": "UTC"}
DATA = {"kind": "complete", "symbols": ["AAPL"], "freq": "1d", "calendar": "XNYS", "deadline": 7200}
HEARS = {"kind": "event", "topic": "bars.updated", "where": {}}


@pytest.fixture
def catalog(tmp_path):
    (tmp_path / "reports").mkdir()
    config = Config.load(tmp_path)
    with closing(Catalog.open(config)) as catalog:
        catalog.config = config
        yield catalog


@pytest.fixture
def add(catalog):
    def add(name, rule=DAILY, *past, anchor="2026-11-25T18:00:00+00:00", state="active"):
        row = {"name": name, "template": "backtest", "template_hash": "h", "parameters": {}, "rule": rule}
        row |= {"notify": [], "notify_on": "always", "timeout": None, "state": state}
        catalog.schedules.add(row | {"anchor": anchor, "created": anchor}, rule.get("topic"))
        with catalog._rows.writing() as connection:
            for due, came, why in past:
                said = {"schedule": name, "key": due, "due": due, "state": came, "why": why, "missed": 0}
                said |= {"lease": 0.0, "token": 0, "run_id": None if came == "due" else f"{name}-run"}
                connection.execute(insert(occasions).values(said | {"finished": due}))

    return add


@pytest.fixture
def all_kinds(add):
    add("fine", DAILY, ("2026-11-25T18:00:00+00:00", "succeeded", ""))
    add("failing", DAILY, ("2026-11-25T18:00:00+00:00", "failed", "ValueError: no <b>bars</b>"))
    add("alone", DAILY, anchor="2026-11-24T18:00:00+00:00")
    add(
        "stuck",
        HEARS,
        ("2026-11-26T10:00:00+00:00", "succeeded", ""),
        ("2026-11-26T11:00:00+00:00", "due", ""),
    )
    add("hears", HEARS, ("2026-11-26T11:58:00+00:00", "due", ""))
    add("rests", DAILY, anchor="2026-01-01T00:00:00+00:00", state="paused")
    data = "2026-11-25T21:00:00+00:00"
    add("waits", DATA, (data, "waiting", ""), anchor=data)
    add("stale", DATA, (data, "stale", "not complete: AAPL has no bar of 2026-11-25"), anchor=data)
    add("works", DAILY, ("2026-11-25T18:00:00+00:00", "running", ""))


def test_each_says_how_it_stands(catalog, all_kinds):
    told = {state.name: state for state in states(catalog, NOW)}
    assert {name: state.state for name, state in told.items()} == {
        "alone": "on time", "failing": "on time", "fine": "on time", "hears": "due", "rests": "paused",
        "stale": "stale", "stuck": "due", "waits": "waiting", "works": "running",
    }  # fmt: skip
    late = {name for name, state in told.items() if state.late}
    assert late == {"alone", "stuck", "stale"}
    assert told["alone"].late.startswith("due at 2026-11-25 18:00 UTC, and not begun: is `tapebook worker`")
    assert "due at 2026-11-26 11:00" in told["stuck"].late
    assert told["stuck"].outcome == "succeeded", "the run before the one that is due"
    assert told["fine"].next == datetime(2026, 11, 26, 18, tzinfo=UTC)
    assert told["waits"].next == datetime(2026, 11, 27, 18, tzinfo=UTC), "the half day after Thanksgiving"
    assert told["hears"].next is told["rests"].next is None
    assert (told["failing"].outcome, told["failing"].run) == ("failed", "failing-run")


def test_the_owner_sees_all_and_a_viewer_what_is_published(catalog, all_kinds, monkeypatch):
    monkeypatch.setattr("tapebook.runs.schedule_state.states", partial(states, now=NOW))
    config = catalog.config
    publish(config, "morning", schedule="failing")
    publish(config, "desk-only", schedule="fine", audience="desk")
    publish(config, "quiet", schedule="alone", audience="unlisted")
    boards = {}
    for who, said in {"owner": {"everything": True}, "viewer": {}, "desk": {"groups": ("desk",)}}.items():
        boards[who] = Board(Visible(config, **said))
        boards[who].refresh()
    shown = {who: [state.name for state, _ in board.shown()] for who, board in boards.items()}
    assert (len(shown["owner"]), shown["viewer"], shown["desk"]) == (9, ["failing"], ["failing", "fine"])
    text = schedules.page(boards["owner"])
    assert text.index("✗ late") < text.index("✓ on time"), "late ones first"
    assert "is <code>tapebook worker</code> running?" in text
    assert "no &lt;b&gt;bars&lt;/b&gt;" in text
    assert '<a href="/morning">failing</a>' in text
    gallery = page(boards["viewer"].visible, Summaries(config.reports), board=boards["viewer"])
    assert '<a href="/schedules">Schedules</a>: <span class="outcome bad">✗ 1 failed</span>' in gallery
    assert "no &lt;b&gt;bars&lt;/b&gt;" in gallery, "the card says why its newest run is missing"
    assert "stuck" not in gallery


def test_a_catalogue_that_is_away_takes_no_page_with_it(catalog, all_kinds, monkeypatch):
    board = Board(Visible(catalog.config, everything=True))
    board.refresh()
    monkeypatch.setattr("tapebook.runs.schedule_state.states", lambda _: 1 / 0)
    board.refresh()
    assert len(board.shown()) == 9
