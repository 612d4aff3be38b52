"""Tables of bars that others keep: SQL, Parquet, ArcticDB; and a stranger's package."""

import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from contracts.sources import SourceContract
from integration.findings import desk_of, run_folder
from integration.vendors import Clock, outside
from tapebook import Desk
from tapebook.cli import main
from tapebook.errors import BadInput, BadParameter, ConfigError, TapebookError, UnknownName
from tapebook.integration.ingest import ingest
from tapebook.integration.sources import get
from tapebook.schema import Frequency

DAYS = [6, 7, 8, 9, 10]
DAILY, HOURLY = Frequency.parse("1d"), Frequency.parse("1h")
PLUGIN = Path(__file__).parents[1] / "plugin"


def rows(stamps):
    return [
        {
            "ticker": name,
            "date": stamp,
            "Open": i + 10,
            "High": i + 12,
            "Low": i + 9,
            "Close": i + 11,
            "Volume": i + 1,
        }
        for name in ("ACME", "BOLT")
        for i, stamp in enumerate(stamps)
    ]


def database(tmp_path, stamps, kind):
    url = f"sqlite:///{tmp_path / 'prices.db'}"
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    numbers = [sa.Column(name, sa.Numeric(12, 4)) for name in ("Open", "High", "Low", "Close", "Volume")]
    table = sa.Table("prices", sa.MetaData(), sa.Column("ticker", sa.Text), sa.Column("date", kind), *numbers)
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(table), rows(stamps))
    return url


def dates():
    return [date(2020, 1, d) for d in DAYS]


def sql(tmp_path, stamps=None, kind=sa.Date, **more):
    source = get("sql", url=database(tmp_path, stamps or dates(), kind), table="prices", **more)
    source.attach(outside(tmp_path, Clock()))
    return source


class Incremental:
    """Like every source, and the second time it is asked only for the last bar."""

    def test_the_second_time_it_is_asked_for_the_gap(self, source, tmp_path):
        with Desk.open(tmp_path / "desk") as desk:
            ingest(desk.lake, source, [self.symbol])
            (again,) = ingest(desk.lake, source, [self.symbol]).rows
        assert (again.outcome, again.fetched) == ("unchanged", 1)


class TestSql(Incremental, SourceContract):
    symbol = "ACME"

    def make(self, tmp_path):
        return sql(tmp_path, calendar="XNYS")


class TestSqlText(SourceContract):
    symbol = "BOLT"

    def make(self, tmp_path):
        return sql(tmp_path, [f"2020-01-{d:02}" for d in DAYS], sa.Text)


class TestParquet(Incremental, SourceContract):
    symbol = "ACME"

    def make(self, tmp_path):
        pl.DataFrame(rows(dates())).write_parquet(tmp_path / "all.parquet")
        return get("parquet", path=str(tmp_path / "*.parquet"), calendar="XNYS")


class TestPartedParquet(SourceContract):
    symbol = "ACME"

    def make(self, tmp_path):
        for name, part in pl.DataFrame(rows(dates())).partition_by("ticker", as_dict=True).items():
            folder = tmp_path / "lake" / f"symbol={name[0]}"
            folder.mkdir(parents=True)
            part.drop("ticker").write_parquet(folder / "0.parquet")
        return get("parquet", path=str(tmp_path / "lake"), calendar="XNYS")


def test_the_hours_of_new_york_are_moments(tmp_path):
    hours = [datetime(2020, 1, 6, h) for h in (10, 11, 12)]
    found = sql(tmp_path, hours, sa.DateTime, tz="America/New_York").fetch(
        "ACME", freq=HOURLY, start=None, end=None
    )
    assert found.bars["ts"][0] == datetime(2020, 1, 6, 15, tzinfo=UTC)


def test_a_day_whose_date_depends_on_a_zone_is_refused(tmp_path):
    stamps = [datetime(2020, 1, d, 5, tzinfo=UTC) for d in DAYS]
    pl.DataFrame(rows(stamps)).write_parquet(tmp_path / "a.parquet")
    how = {"freq": DAILY, "start": None, "end": None}
    with pytest.raises(BadInput, match="depends on a zone"):
        get("parquet", path=str(tmp_path / "a.parquet")).fetch("ACME", **how)
    found = get("parquet", path=str(tmp_path / "a.parquet"), tz="America/New_York").fetch("ACME", **how)
    assert [ts.day for ts in found.bars["ts"]] == DAYS


def test_what_is_wrong_with_a_table_is_told(tmp_path):
    source = sql(tmp_path)
    url = source._url
    with pytest.raises(UnknownName, match="Did you mean 'prices'"):
        get("sql", url=url, table="price").symbols(DAILY)
    lacking = get("sql", url=url, table="prices", columns={"close": "Last"})
    lacking.attach(outside(tmp_path, Clock()))
    with pytest.raises(BadInput, match="no column for close"):
        lacking.symbols(DAILY)
    with pytest.raises(UnknownName, match="Did you mean 'close'"):
        get("sql", url=url, table="prices", columns={"clos": "x"})
    with pytest.raises(BadParameter, match="time zone"):
        get("sql", url=url, table="prices", tz="Nowhere")
    gone = get("sql", url="postgresql+psycopg://u:planted-password@127.0.0.1:9/x", table="prices")
    gone.attach(outside(tmp_path, Clock()))
    with pytest.raises(TapebookError, match="refused|connection|installed") as caught:
        gone.symbols(DAILY)
    assert "planted" not in str(caught.value)
    with pytest.raises(BadInput, match="cannot be read"):
        get("parquet", path=str(tmp_path / "none" / "*.parquet")).symbols(DAILY)


def test_arcticdb_says_why_it_is_not_there(tmp_path):
    """benchmarks/check_arcticdb.py reads a real one, in an environment where it can be."""
    with pytest.raises(ConfigError, match="pandas < 3"):
        get("arcticdb", url=f"lmdb://{tmp_path}", library="prices").symbols(DAILY)
    with pytest.raises(BadInput, match="there is no ArcticDB at"):
        get("arcticdb", url=f"lmdb://{tmp_path}/none", library="prices").symbols(DAILY)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "module", "options"),
    [
        ("yfinance", "yfinance", {}),
        ("ccxt", "ccxt", {}),
        ("alpaca", "alpaca.data.historical", {"api_key": "k-0123456", "secret_key": "s-0123456"}),
    ],
)
def test_a_missing_library_is_named_with_what_to_install(tmp_path, monkeypatch, name, module, options):
    monkeypatch.setitem(sys.modules, module, None)
    source = get(name, **options)
    source.attach(outside(tmp_path, Clock()))
    with pytest.raises(ConfigError, match=r"pip install 'tapebook\[sources\]'"):
        source.fetch("X", freq=DAILY, start=None, end=None)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A stranger's package, built and installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PLUGIN, folder / "code")
    target = folder / "site"
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    command = [
        uv,
        "pip",
        "install",
        "--offline",
        "--no-deps",
        "--python",
        sys.executable,
    ]
    done = subprocess.run(
        [*command, "--target", str(target), str(folder / "code")], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return target


class TestPlugin(SourceContract):
    symbol = "Dover"

    @pytest.fixture(autouse=True)
    def _path(self, installed, monkeypatch):
        monkeypatch.syspath_prepend(str(installed))

    @pytest.fixture
    def source(self, installed):
        return get("tides")

    def test_its_options_are_checked_like_ours(self):
        with pytest.raises(UnknownName, match="Did you mean 'harbour'"):
            get("tides", harbor="Dover")


def test_a_strangers_documentation_tool_is_one_like_ours(installed, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(installed))
    with desk_of(tmp_path / "desk") as desk:
        desk.secrets.set("cork", "planted-cork-0123456789")
        with pytest.raises(BadParameter, match="never kept as it is"):
            desk.documents.add("sea", "bottle", to=str(tmp_path / "sea.json"), token="cork-0123456789")
        desk.documents.add("sea", "bottle", to=str(tmp_path / "sea.json"), token="secret:cork")
        assert "bottle" in CliRunner().invoke(main, ["document", "kinds"]).stdout
        run_folder(desk.config.reports, "toy-1")
        said = [desk.documents.publish("toy-1", "sea").outcome for _ in range(2)]
        desk.documents.delete("sea", desk.documents.list()["key"][0])
        assert said == ["created", "unchanged"]
    assert (tmp_path / "sea.json").read_text() == "{}"
