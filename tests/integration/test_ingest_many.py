"""Many symbols at once, and long minute series topped up: the same as one by one, and as judged anew."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tapebook import Desk
from tapebook.data.calendar import expected_bars
from tapebook.data.quality import check
from tapebook.integration import stretch
from tapebook.integration.sources import Fetched, Instrument
from tapebook.integration.sources.files.source import Files

LAST = 11_100


def minutes(seed, days=("2019-01-02", "2019-02-15"), gone=0.02):
    chance = np.random.default_rng(seed)
    stamps = expected_bars("XNYS", "1m", *days).tz_localize(None).to_numpy("datetime64[us]")
    stamps = stamps[chance.random(len(stamps)) > gone]
    extra = stamps[::700] + np.timedelta64(10, "h")  # after hours
    stamps = np.unique(np.concatenate([stamps, extra]))
    close = np.round(50 * np.exp(np.cumsum(chance.standard_t(3, len(stamps)) * 2e-4)), 2)
    close[900:908] = close[900]
    volume = chance.integers(0, 30, len(stamps)).astype(float)
    prices = {"open": close, "high": close + 0.01, "low": close - 0.01, "close": close}
    frame = pl.DataFrame({"ts": stamps}).with_columns(pl.col("ts").dt.replace_time_zone("UTC"), **prices)
    return frame.with_columns(volume=volume)


class Shelf:
    name = "shelf"

    def __init__(self, holds):
        self.holds = holds

    def symbols(self, freq):
        return list(self.holds)

    def fetch(self, symbol, *, freq, start, end):
        return Fetched(self.holds[symbol], Instrument(symbol, "XNYS"))


def test_a_topped_up_series_has_the_findings_of_one_judged_anew(tmp_path, monkeypatch):
    read = []
    whole_again = stretch.whole_again
    series = {name: minutes(seed) for seed, name in enumerate(["A", "B", "C"])}
    with Desk.open(tmp_path) as desk:
        for cut in (9_000, 9_700, 10_400, LAST):
            upto = {name: bars.head(cut) for name, bars in series.items()}
            came = {name: bars.tail(800 if cut > 9_000 else cut) for name, bars in upto.items()}
            came["C"] = upto["C"]  # comes whole each time
            monkeypatch.setattr(
                "tapebook.integration.before.whole_again",
                lambda *given: read.append(whole_again(*given)) or read[-1],
            )
            done = desk.ingest(Shelf(came), freq="1m")
            assert not done.failed
        stored = pl.from_pandas(desk.quality()).with_columns(pl.col("ts").dt.cast_time_unit("us"))
    assert "A" not in read[1], "only its last stretch was read"
    assert "C" in read[1], "it came whole"
    for name, all_bars in series.items():
        bars = all_bars.head(LAST)
        anew = check(bars, symbol=name, freq="1m", calendar="XNYS")
        mine = stored.filter(pl.col("symbol") == name).select(anew.columns)
        order = ["ts", "check_name", "detail"]
        if name == "C":
            assert_frame_equal(mine.sort(order), anew.sort(order))
            continue
        local = pl.col("check_name").is_in(
            ["jump", "bad_print", "split_like"]
        )  # beside the usual move of a stretch
        assert_frame_equal(mine.filter(~local).sort(order), anew.filter(~local).sort(order))
        assert set(anew["check_name"]) >= {"gap", "stale", "zero_volume", "off_calendar"}


@pytest.fixture
def lake(tmp_path):
    """A Parquet lake with one symbol as it should be and others that are odd, each in its own way."""
    good = minutes(1, ("2019-01-02", "2019-01-04"), gone=0).with_columns(symbol=pl.lit("GOOD"))
    half = good.with_columns(symbol=pl.lit("HALF"), close=pl.when(pl.int_range(pl.len()) > 5).then("close"))
    twice = pl.concat([good, good.head(3)]).with_columns(symbol=pl.lit("TWICE"))
    fight = pl.concat([good, good.head(1).with_columns(close=1.0)]).with_columns(symbol=pl.lit("FIGHT"))
    endless = good.with_columns(symbol=pl.lit("INF"), volume=pl.lit(float("inf")))
    folder = tmp_path / "lake"
    folder.mkdir()
    pl.concat([twice, half, good, fight, endless]).write_parquet(folder / "bars.parquet")
    return folder


def test_what_is_read_at_once_is_what_is_read_one_by_one(lake, tmp_path, monkeypatch):
    with Desk.open(tmp_path / "one") as one, Desk.open(tmp_path / "many") as many:
        at_once = many.ingest("parquet", path=str(lake), freq="1m", calendar="XNYS")
        monkeypatch.setattr("tapebook.integration.ingest.several", lambda source, names, *_: [names])
        each = one.ingest("parquet", path=str(lake), freq="1m", calendar="XNYS")
        assert at_once.rows == each.rows
        assert [row.outcome for row in each.rows] == ["failed", "ok", "failed", "ok", "ok"]
        assert many.bars(freq="1m").fingerprint() == one.bars(freq="1m").fingerprint()
        assert many.quality().equals(one.quality())


def test_only_the_gap_is_asked_of_a_parquet_lake(lake, tmp_path):
    path = str(lake / "bars.parquet")
    bars = pl.read_parquet(path)
    with Desk.open(tmp_path) as desk:
        early = bars.filter(pl.col("ts").dt.date() < pl.date(2019, 1, 4))
        early.write_parquet(path)
        desk.ingest("parquet", ["GOOD", "INF"], path=path, freq="1m", calendar="XNYS")
        bars.write_parquet(path)
        done = desk.ingest("parquet", ["GOOD", "INF"], path=path, freq="1m", calendar="XNYS")
        assert [(row.fetched - 1, row.changed) for row in done.rows] == [(row.added, 0) for row in done.rows]
        again = desk.ingest("parquet", ["GOOD"], path=path, freq="1m", end="2019-01-03", calendar="XNYS")
        assert again.rows[0].outcome == "unchanged"


LONG = """symbol,date,open,high,low,close,volume,split
A,2020-01-02,1,2,1,2,10,1
A,2020-01-03,2,3,2,3,,1
B,2020-01-02,4,4,4,4,10,1
B,2020-01-03,2,2,2,2,10,2
C,2020-01-02,1,1,1,1,10,1
C,2020-01-03,oops,1,1,1,10,1
D,2020-01-02,1,1,1,1,10,1
D,2020-01-02,1,1,1,1,10,1
E,2020-01-02,1,1,1,1,10,1
E,2020-01-02,1,2,1,2,10,1
"""


@pytest.mark.parametrize("quarantine", [False, True])
def test_a_long_file_is_read_at_once_as_it_is_one_by_one(tmp_path, monkeypatch, quarantine):
    (tmp_path / "all.csv").write_text(LONG)
    (tmp_path / "F.csv").write_text("date,open,high,low,close\n2020-01-02,1,2,1,2\n2020-01-03,1,2,1,2\n")

    def told(home, **how):
        with Desk.open(home) as desk:
            done = desk.ingest("files", path=str(tmp_path / "*.csv"), quarantine=quarantine, **how)
            rows = sorted(
                (row.symbol, row.outcome, row.added, row.quarantined, row.reason) for row in done.rows
            )
            bars = desk.sql("SELECT * FROM bars ORDER BY symbol, ts").to_csv()
            return rows, bars, desk.sql("SELECT * FROM actions").to_csv()

    asked = []
    with monkeypatch.context() as patch:
        plain = Files._plain
        patch.setattr(Files, "_plain", lambda *given: asked.append((given[1], plain(*given))) or asked[-1][1])
        for folder in ("one", "many", "later"):
            (tmp_path / folder).mkdir()
        many = told(tmp_path / "many")
        later = told(tmp_path / "later", start="2020-01-03")
    assert {name for name, bars in asked if bars is not None} >= {"A", "D"}
    assert {name for name, bars in asked[:6] if bars is None} == {"B", "C", "E", "F"}
    monkeypatch.setattr("tapebook.integration.ingest.several", lambda _, names, *__: [names])
    assert told(tmp_path / "one") == many
    (tmp_path / "again").mkdir()
    assert told(tmp_path / "again", start="2020-01-03") == later
