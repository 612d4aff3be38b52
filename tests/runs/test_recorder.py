"""The recorder: keeps inside a run, shows outside, refuses what it cannot keep."""

import json

import numpy as np
import pandas as pd
import pytest

from tapebook import Recorder
from tapebook.errors import BadParameter
from tapebook.runs.recorder import encoded
from tapebook.runs.tables import drawn, markup, said


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setenv("TAPEBOOK_RUN", str(tmp_path))
    monkeypatch.setenv("TAPEBOOK_SEED", "7")
    return Recorder.current()


class Metric:
    value, unit, convention = np.float64(0.5), "share", "of all"


def test_outside_a_run_nothing_is_kept(monkeypatch, tmp_path):
    import plotly.graph_objects as go

    monkeypatch.delenv("TAPEBOOK_RUN", raising=False)
    monkeypatch.chdir(tmp_path)
    record = Recorder.current()
    record.table("t", pd.DataFrame({"a": [1]}))
    record.figure("f", go.Figure())
    record.metrics({"a": 1})
    record.title("t")
    record.headline("a")
    assert record.seed == 0
    assert list(tmp_path.iterdir()) == []


def test_metrics_of_every_shape(record, tmp_path):
    record.metrics({"plain": 1, "pair": (2.5, "s"), "object": Metric(), "none": None})
    record.metrics({"plain": {"value": np.int64(3), "unit": "count"}, "nan": np.nan})
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert kept["plain"] == {"value": 3, "unit": "count", "convention": ""}
    assert kept["pair"] == {"value": 2.5, "unit": "s", "convention": ""}
    assert kept["object"] == {"value": 0.5, "unit": "share", "convention": "of all"}
    assert kept["none"]["value"] is kept["nan"]["value"] is None
    with pytest.raises(BadParameter, match="'odd' is 'x': expected a number as the value of a metric"):
        record.metrics({"odd": "x"})


def test_tables_keep_every_row_and_index(record, tmp_path):
    frame = pd.DataFrame({1: range(100)}, index=pd.date_range("2020", periods=100, tz="UTC", name="ts"))
    record.table("long one", frame)
    kept = pd.read_parquet(tmp_path / "tables" / "long one.parquet")
    pd.testing.assert_frame_equal(kept, frame.rename(columns=str), check_freq=False)
    assert record.seed == 7


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a" * 101])
def test_a_name_that_is_no_file_name_is_refused(record, name):
    with pytest.raises(BadParameter, match="letters, digits"):
        record.table(name, pd.DataFrame({"a": [1]}))


def test_a_table_for_a_reader():
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2020-01-02", None], utc=True),
            "x": [-1234.567, None],
            "text": ["<b>", "y" * 40],
        }
    )
    shown = markup(frame)
    assert "<td class='t'>2020-01-02</td><td class='n'>−1,234.57</td><td class='t'>&lt;b&gt;</td>" in shown
    assert "<td class='t'>–</td><td class='n'>–</td><td class='t w'>" in shown
    assert "40 of 100 rows" in markup(pd.DataFrame({"a": range(100)}))
    assert "no rows" in markup(pd.DataFrame({"a": []}))
    assert [said(v) for v in (True, 3, 2.0, 1e9, "x")] == ["True", "3", "2.00", "1,000,000,000", "x"]


def test_a_table_in_plain_text_has_the_same_words():
    frame = pd.DataFrame({"place": ["London", "Rome"], "height": [1234.5, -2.0]})
    assert drawn(frame)[1].splitlines() == ["place     height", "London  1,234.50", "Rome       −2.00"]
    long = drawn(pd.DataFrame({"a": range(100)}))[1].splitlines()
    assert (len(long), long[21], long[-1]) == (43, " …", "40 of 100 rows")
    assert drawn(pd.DataFrame()) == (markup(pd.DataFrame()), "")


def test_a_figure_is_encoded_as_plotly_does_it():
    import plotly.graph_objects as go

    texts = np.array([["a", None], ["b", np.nan]], dtype=object)
    dates = pd.to_datetime(["2020-01-02 00:00", "2020-01-03 09:30"])
    figure = go.Figure(
        [
            go.Scatter(x=np.array(["2020-01-02", "é"]), y=[1.5, np.nan], marker={"color": ["red", "blue"]}),
            go.Heatmap(x=dates, z=np.eye(4)[::2, ::2], text=texts, customdata=texts.T, uid="u"),
            go.Bar(
                x=[pd.Timestamp("2020-01-02"), pd.NaT], y=(1, 2), text=np.array([pd.NaT, "x"], dtype=object)
            ),
        ],
        {"title": "<b>", "annotations": [{"text": "t", "x": dates[0]}, {"text": "u"}]},
    )
    assert json.loads(encoded(figure)) == json.loads(figure.to_json())
    assert json.loads(encoded(go.Figure())) == json.loads(go.Figure().to_json())
