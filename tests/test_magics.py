"""`%load_ext tapebook` in a real kernel: SQL, backtests, and what Tab offers."""

import pytest
from jupyter_client.manager import start_new_kernel

from tapebook.magics_complete import Completer, columns_of


@pytest.fixture(scope="module")
def kernel(shared_home):
    import os

    environment = os.environ | {"TAPEBOOK_HOME": str(shared_home)}
    manager, client = start_new_kernel(kernel_name="python3", env=environment, cwd=str(shared_home))
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def run(kernel):
    def run(code):
        """Execute; return the outputs' texts and what went wrong."""
        said = []

        def hear(message):
            content, kind = message["content"], message["msg_type"]
            if kind in ("execute_result", "display_data"):
                said.append(content["data"]["text/plain"])
            elif kind == "stream":
                said.append(content["text"])

        reply = kernel.execute_interactive(code, timeout=90, output_hook=hear)["content"]
        error = f"{reply['ename']}: {reply['evalue']}" if reply["status"] == "error" else ""
        return "".join(said), error

    assert run("%load_ext tapebook") == ("", "")
    assert run("%reload_ext tapebook") == ("", "")
    return run


@pytest.fixture(scope="module")
def offered(kernel, run):
    def offered(code):
        """Complete where the bar stands."""
        before, _, after = code.partition("|")
        reply = kernel.complete(before + after, len(before), reply=True, timeout=60)["content"]
        assert (before + after)[reply["cursor_start"] : reply["cursor_end"]] in before
        return reply["matches"]

    return offered


def test_a_cell_of_sql_is_a_frame(run):
    said, error = run(
        "%%tape\nSELECT symbol, count(*) AS n FROM bars\nWHERE symbol IN ('AAPL', 'FB') GROUP BY 1 ORDER BY 1"
    )
    assert (error, "AAPL" in said, "FB" in said) == ("", True, True)
    assert run("%%tape --out closes\nSELECT ts, close FROM adjusted WHERE symbol = 'IBM'") == ("", "")
    assert run("print(type(closes).__module__, list(closes), len(closes) > 3000)")[0] == (
        "pandas ['ts', 'close'] True\n"
    )
    assert run("n = %tape SELECT count(*) AS n FROM bars\nprint(n['n'][0] > 9000)")[0] == "True\n"


def test_sql_takes_variables_and_a_snapshot(run):
    assert run("who, since = 'FB', '2013-01-01'")[1] == ""
    said, error = run(
        "%%tape\nSELECT min(ts) AS first, '$5' AS price FROM bars WHERE symbol = $who AND ts >= $since"
    )
    assert (error, "2013-01-02" in said, "$5" in said) == ("", True, True)
    assert run("%%tape --asof 2\nSELECT count(*) AS n FROM bars")[1] == ""
    assert "no snapshot" in run("%%tape --asof 9999\nSELECT 1")[1].lower()
    assert "the notebook has no variable nobody" in run("%%tape\nSELECT $nobody")[1]
    assert run("%%tape --polars -o p\nSELECT 1 AS a")[1] == ""
    assert run("print(type(p).__module__.split('.')[0])")[0] == "polars\n"


def test_a_mistake_is_one_line(run):
    said, error = run("%%tape\nSELEC 1")
    assert error.startswith("UsageError: the query does not work")
    assert "Traceback" not in said
    assert "read-only" in run("%%tape\nDELETE FROM bars")[1]
    assert "no option --ou" in run("%%tape --ou x\nSELECT 1")[1]
    assert "expected a variable's name" in run("%%tape --out 1x\nSELECT 1")[1]
    assert "asks what?" in run("%tape")[1]


def test_a_line_trades(run):
    said, error = run("%backtest sma_cross AAPL fast=10 slow=50 stop_loss=0.1 start=2005 --out bt")
    assert (said, error) == ("", "")
    said, _ = run("print(bt.strategy, bt.params, bt.rules.stop_loss, bt.symbols, bt.id is not None)")
    assert said == "sma_cross {'fast': 10, 'slow': 50} 0.1 ('AAPL',) True\n"
    assert "sma_cross(fast=20, slow=50) on AAPL, MSFT" in run("%backtest sma_cross AAPL,MSFT fast=20")[0]
    assert "Did you mean 'fast'" in run("%backtest sma_cross AAPL fats=20")[1]
    assert "no strategy named 'sma_cros'" in run("%backtest sma_cros AAPL")[1]
    assert "expected a whole number from 1 to 500" in run("%backtest sma_cross AAPL fast=many")[1]
    assert "which strategy?" in run("%backtest")[1]


def test_tab_in_sql(offered):
    assert offered("%%tape\nSELECT * FROM ad|") == ["adjusted"]
    assert {"bars", "adjusted", "quality"} <= set(offered("%%tape\nSELECT * FROM |"))
    assert offered("%%tape\nSELECT vol| FROM bars") == ["volume"]
    assert offered("%%tape --out x\nSELECT b.clo|\nFROM bars AS b") == ["close"]
    assert offered("%%tape\nSELECT quality.sev| FROM quality") == ["severity"]
    assert offered("%%tape\nSELECT 1 FROM bars WHERE symbol = 'AA|") == ["AAPL"]
    assert offered("%%tape\nSELECT 1 FROM bars WHERE symbol IN ('IBM', 'ms|") == ["MSFT"]
    assert offered("%%tape\nSELECT 1 FROM bars WHE|") == ["WHEN", "WHERE"]
    assert offered("%%tape --po|\nSELECT 1") == ["--polars"]
    assert offered("x = %tape SELECT sym| FROM bars") == ["symbol"]


def test_tab_in_a_backtest(offered):
    assert offered("%backtest sma|") == ["sma_cross"]
    assert offered("%backtest sma_cross AA|") == ["AAPL"]
    assert offered("%backtest sma_cross AAPL fa|") == ["fast="]
    assert "slow=" in offered("%backtest sma_cross AAPL fast=10 |")
    assert "fast=" not in offered("%backtest sma_cross AAPL fast=10 |")
    assert offered("%backtest sma_cross AAPL direction=sh|") == ["short"]
    assert offered("bt = %backtest sma_cross AAPL,MS|") == ["MSFT"]


def test_python_is_completed_as_ever(offered):
    assert "import" in offered("impo|")
    assert "append" in [m.rpartition(".")[2] for m in offered("[].appe|")]


def test_columns_are_those_of_the_lake(sample_desk):
    for table, columns in columns_of().items():
        assert list(sample_desk.sql(f"SELECT * FROM {table} LIMIT 0")) == columns


def test_an_empty_lake_offers_what_there_is(tmp_path):
    from tapebook import Desk

    with Desk.open(tmp_path) as desk:
        assert Completer(lambda: desk).at("%%tape\nSELECT 1 WHERE symbol = 'A", "%%tape\n") == ("A", [])
        assert Completer(lambda: desk).at("x = 1", "x = 1") == ("", [])
