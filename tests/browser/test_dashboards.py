"""The dashboards in a real browser: drawn, changed by a control, and all of it from this machine."""

from contextlib import suppress
from urllib.parse import urlparse

import pytest

from dashboards.records_made import make_run
from runs_made import alive, until
from tapebook.config import Config
from tapebook.dashboards import serve
from tapebook.runs.page import write_page
from tapebook.runs.publish import publish

LINE = ".scatterlayer .trace path.js-line"
PATIENCE = 60_000  # milliseconds
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}


@pytest.fixture(scope="module")
def server(tmp_path_factory, chromium):
    home = tmp_path_factory.mktemp("shown")
    (home / "tapebook.toml").touch()
    config = Config.load(home)
    make_run(config.reports, "one")
    make_run(config.reports, "two", strategy="momentum", symbols="AAPL,MSFT", template="portfolio", days=1)
    error = {"cell": 4, "name": "ValueError", "message": "no bars", "traceback": "…"}
    make_run(config.reports, "three", symbols="IBM", outcome="failed", error=error, days=2)
    for run in ("one", "two", "three"):
        put_figures_into_the_notebook(config.reports / run)
        write_page(config.reports / run)
    from tapebook.data.catalog import Catalog

    catalog = Catalog.open(config)
    for run in ("one", "two"):
        row = {"id": run, "template": "backtest", "template_hash": "h", "outcome": "succeeded"}
        catalog.runs.add(row | {"started": "2026-11-01T22:15:00+00:00"})
    catalog.close()
    publish(config, "apple-trend", run="one", late_after=1, title="Apple's trend")
    publish(config, "apple-trend", run="two")
    started, found = serve.start(config, everything=True)
    yield started, found
    serve.stop(started)


@pytest.fixture(scope="module")
def address(server):
    return server[1]


def put_figures_into_the_notebook(folder):
    """What a run's notebook shows is what it has recorded."""
    import json

    outputs = [
        {"output_type": "display_data", "data": {"application/vnd.plotly.v1+json": json.loads(f.read_text())}}
        for f in sorted((folder / "figures").glob("*.json"))
    ]
    words = {"cell_type": "markdown", "metadata": {}, "source": "What came of it."}
    code = {"cell_type": "code", "metadata": {}, "source": "", "outputs": outputs}
    notebook = {"cells": [words, code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        options = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
        ]
        started = play.chromium.launch(executable_path=chromium, args=options)
        yield started
        started.close()


@pytest.fixture
def page(browser, request):
    options = getattr(request, "param", {})
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.outside, page.errors = [], []
    page.on("request", lambda r: None if _here(r.url) else page.outside.append(r.url))
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    yield page
    context.close()
    assert page.outside == [], "the page asked an outside host"
    assert page.errors == []


def _here(url):
    return urlparse(url).hostname in ("127.0.0.1", None, "") or url.startswith(("data:", "blob:"))


def test_the_gallery_finds_and_leads_to_a_report(page, address):
    page.goto(address)
    page.get_by_role("link", name="Apple's trend").wait_for()
    assert page.locator(".tb-card:visible").count() == 3
    assert "late" in page.locator(".tb-card", has_text="Apple").inner_text()
    page.get_by_role("searchbox").fill("nothing of it")
    page.get_by_text("0 reports").wait_for()  # no wait_for_function here: the page's policy refuses eval
    page.get_by_role("searchbox").fill("failed")
    page.get_by_text("1 report", exact=True).wait_for()
    assert page.url.endswith("?q=failed")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("link", name="Apple's trend").click()
    page.get_by_role("heading", name="momentum on AAPL,MSFT").wait_for()
    line = page.locator(LINE).first
    line.wait_for()
    assert len(line.get_attribute("d")) > 1_000, "an empty line would pass for a chart"
    assert page.locator("figure.chart").first.get_attribute("aria-label").startswith("Chart: ")


def test_history_is_leafed_through(page, address):
    page.goto(f"{address}apple-trend")
    page.get_by_role("link", name="1 earlier").click()
    page.get_by_role("link", name="sma_cross on AAPL").click()
    page.get_by_role("heading", name="sma_cross on AAPL").wait_for()
    page.get_by_role("link", name="Latest").click()
    page.get_by_role("heading", name="momentum on AAPL,MSFT").wait_for()


def test_a_control_changes_the_chart_and_the_address(page, address):
    page.goto(f"{address}live/run?run=two")
    line = page.locator(LINE).first
    line.wait_for()
    first = line.get_attribute("d")
    assert len(first) > 1_000
    page.locator(".widget-dropdown", has_text="figure").locator("select").select_option("drawdown")
    page.wait_for_function(
        f"(d) => {{ const p = document.querySelector('{LINE}'); return p && p.getAttribute('d') !== d }}",
        arg=first,
    )
    page.wait_for_function("location.search.includes('figure=drawdown')")
    second = page.locator(LINE).first.get_attribute("d")
    assert len(second) > 500
    page.locator(".widget-slider .noUi-handle").first.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        f"(d) => {{ const p = document.querySelector('{LINE}'); return p && p.getAttribute('d') !== d }}",
        arg=second,
    )
    page.get_by_text("snapshot 3").wait_for()


def test_an_address_carries_the_state(page, address):
    page.goto(f"{address}live/run?run=two&figure=drawdown")
    page.locator(LINE).first.wait_for()
    chosen = page.locator(".widget-dropdown", has_text="figure").locator("select")
    assert chosen.input_value() == "drawdown"


def test_a_closed_tab_leaves_no_kernel(page, server, address):
    import psutil

    def kernels():
        started = psutil.Process(server[0].pid).children(recursive=True)
        names = ("warm/client.py", "ipykernel_launcher")  # warm, or cold where the code has just changed
        return [p for p in started if any(name in said(p) for name in names)]

    def said(process):
        with suppress(psutil.NoSuchProcess):  # it has ended just now
            return " ".join(process.cmdline())
        return ""

    before = set(kernels())
    page.goto(f"{address}live/run?run=one")
    page.locator(LINE).first.wait_for()
    mine = set(kernels()) - before
    assert mine
    page.goto("about:blank")
    assert until(lambda: not any(alive(p.pid) for p in mine), 90), "its kernel is still there"


@pytest.mark.parametrize("page", [PHONE], indirect=True)
@pytest.mark.parametrize("path", ["", "apple-trend", "live/run?run=one"])
def test_it_fits_a_phone_in_the_dark(page, address, path):
    page.goto(address + path)
    page.locator(LINE if path else ".picture polyline").first.wait_for()
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 392
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 27)"
    if path:  # a long title goes on several lines, all of them within the chart
        title = page.locator(".gtitle").first
        assert title.locator("tspan.line").count() > 1
        box, chart = title.bounding_box(), page.locator(".js-plotly-plot").first.bounding_box()
        assert box["x"] + box["width"] <= 390
        assert box["y"] >= chart["y"]
    paper = "document.querySelector('.js-plotly-plot')._fullLayout.paper_bgcolor"
    assert not path or page.evaluate(paper).lower() == "#1a2027", "the chart is dark too"


def test_a_failed_run_says_its_reason_and_shows_no_traceback(page, address):
    page.goto(f"{address}run/three")
    page.get_by_text("no bars").wait_for()
    assert "Traceback" not in page.content()
    assert page.request.get(f"{address}run/three/notebook.ipynb").status == 404


def test_a_report_is_taken_along(page, address):
    """As PDF, as one file that needs nothing else, and its tables with every row."""
    import io

    import pandas as pd

    kept = {
        name: page.request.get(f"{address}apple-trend/{name}")
        for name in ("report.pdf", "report.html", "tables/trades.csv", "tables/trades.parquet")
    }
    assert {name: answer.status for name, answer in kept.items()} == dict.fromkeys(kept, 200)
    assert all("attachment" in answer.headers["content-disposition"] for answer in kept.values())
    assert kept["report.pdf"].body().startswith(b"%PDF-")
    assert len(kept["report.pdf"].body()) > 20_000, "an empty page is smaller"
    whole = kept["report.html"].text()
    assert "<script src=" not in whole
    assert "Plotly" in whole
    table = pd.read_parquet(io.BytesIO(kept["tables/trades.parquet"].body()))
    read = pd.read_csv(io.BytesIO(kept["tables/trades.csv"].body()), parse_dates=["entry_ts"])
    assert len(table) == 40
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
