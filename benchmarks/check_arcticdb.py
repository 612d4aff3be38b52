"""Read a real ArcticDB (LMDB) with the source `arcticdb`, in an environment that can have it.

ArcticDB needs pandas < 3, so it cannot be beside tapebook. This needs only what the source imports:

    uv venv arctic && uv pip install --python arctic/bin/python arcticdb 'pandas<3' polars pyarrow tenacity \
        filelock httpx tzdata
    arctic/bin/python benchmarks/check_arcticdb.py
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import pandas as pd
from arcticdb import Arctic as Database

from tapebook.errors import TapebookError
from tapebook.integration.sources.arctic import Arctic
from tapebook.schema import Frequency

DAILY, HOURLY = Frequency.parse("1d"), Frequency.parse("1h")


def fill(url: str) -> None:
    """Write what people have: days, hours of a zone, and what is no bars."""
    days = pd.bdate_range("2020-01-06", periods=600, name="date")
    prices = {"Open": 1.0, "High": 1e3, "Low": 0.5, "Close": np.arange(600) + 1.0, "Volume": np.arange(600)}
    hours = pd.date_range("2020-01-06 09:30", periods=500, freq="h", tz="America/New_York")
    library = Database(url).create_library("prices")
    library.write("ACME", pd.DataFrame(prices, index=days))
    library.write("HOURS", pd.DataFrame({"close": np.arange(500.0)}, index=hours))
    library.write("NAIVE", pd.DataFrame({"close": np.arange(500.0)}, index=hours.tz_localize(None)))
    library.write("PRICE", pd.DataFrame({"price": [1.0]}, index=days[:1]))
    library.write("ROWS", pd.DataFrame({"close": [1.0, 2.0]}))


def refused(told: str, **asked: str) -> None:
    """Check that what cannot be read is said in words."""
    options = {"url": asked["url"], "library": asked.get("library", "prices")}
    try:
        Arctic(**options).fetch(asked["symbol"], freq=DAILY, start=None, end=None)
    except TapebookError as error:
        said = str(error)
    else:
        said = "nothing"
    assert told in said, (asked, said)


def main() -> None:
    """Write, read, compare."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"lmdb://{folder}"
        fill(url)
        source = Arctic(url=url, library="prices", calendar="XNYS")
        assert source.symbols(DAILY) == ["ACME", "HOURS", "NAIVE", "PRICE", "ROWS"]
        whole = source.fetch("ACME", freq=DAILY, start=None, end=None).bars
        assert whole["close"].to_list() == [n + 1.0 for n in range(600)]
        first, last = datetime(2020, 2, 3, tzinfo=UTC), datetime(2020, 2, 10, tzinfo=UTC)
        part = source.fetch("ACME", freq=DAILY, start=first, end=last).bars
        assert part["close"].to_list() == [21.0, 22.0, 23.0, 24.0, 25.0, 26.0]
        first = datetime(2020, 1, 10, tzinfo=UTC)
        zoned = source.fetch("HOURS", freq=HOURLY, start=first, end=None).bars
        assert zoned["ts"][0] == first.replace(minute=30)
        named = Arctic(url=url, library="prices", tz="America/New_York")
        assert named.fetch("NAIVE", freq=HOURLY, start=first, end=None).bars.equals(zoned)
        refused("no symbol in prices named 'ACMEE'. Did you mean 'ACME'", url=url, symbol="ACMEE")
        refused("Did you mean 'prices'", url=url, symbol="ACME", library="price")
        refused("has no close (it has price)", url=url, symbol="PRICE")
        refused("has no times as its index", url=url, symbol="ROWS")
        refused("its date depends on a zone", url=url, symbol="HOURS")
        refused("there is no ArcticDB at", url=f"{url}/none", symbol="ACME")
        refused("one such as lmdb:///folder", url="nonsense", symbol="ACME")
    print("the source arcticdb reads a real ArcticDB as it should")


if __name__ == "__main__":
    main()
