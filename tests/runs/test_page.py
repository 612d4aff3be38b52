"""The page of a run: offline, without code, readable in both modes and on a phone."""

import re

import pytest

from tapebook import runs
from tapebook.errors import RunFailed
from tapebook.runs.outputs import blocks
from tapebook.runs.page_picture import picture


@pytest.fixture(scope="module")
def pages(toy):
    """A page of a run that succeeded, and of one that failed."""
    config, good, _ = toy
    with pytest.raises(RunFailed) as caught:
        runs.run(config, "trouble", {})
    return good.html, runs.load(config, caught.value.run_id).html


def test_it_has_words_figures_tables_and_no_code(pages):
    page = pages[0].read_text()
    assert "<h1>A walk of 20 steps</h1>" in page
    assert page.count("<h1>") == 1
    assert "Does a random walk end where it began?" in page
    assert page.count("<figure class='chart'") == 2
    assert "<th class='n'>place</th>" in page
    assert "import numpy" not in page
    assert "record.metrics" not in page
    assert "steps = 20" in page
    assert "<i>kept</i>" in page


def test_it_links_to_nothing_outside(pages):
    for page in pages:
        text = page.read_text()
        assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
        assert "cdn" not in text
        assert "mathjax" not in text.lower()
        assert "require.js" not in text
    links = re.findall(r'(?:src|href)="([^"]*)"', pages[0].read_text())
    assert all((pages[0].parent / link).is_file() for link in links)
    assert any(link.startswith("../_static/plotly-") for link in links)


def test_a_failed_run_says_why_first(pages):
    page = pages[1].read_text()
    assert "This run failed." in page
    assert page.index("the &lt;sky&gt; is falling") < page.index("Trouble of every kind")
    assert "before the trouble" in page
    assert "Traceback" in page
    assert "plotly" not in re.sub(r"<li>plotly.*?</li>", "", page)


def test_it_draws_in_a_browser_offline(pages, chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            for scheme, width in (("light", 1200), ("dark", 360)):
                _draws(browser, pages[0], scheme, width)
        finally:
            browser.close()


def _draws(browser, page, scheme, width):
    from tapebook import theme

    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
    tab = context.new_page()
    asked, errors = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.goto(page.as_uri())
    tab.wait_for_function("document.querySelectorAll('.chart .main-svg').length >= 2")
    assert errors == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = tab.evaluate("document.querySelector('.chart')._fullLayout.paper_bgcolor")
    assert ground.lower() == theme.palette(dark=scheme == "dark").surface.lower()
    if width < 560:
        _fits(tab)
    context.close()


TITLE = (
    "<b>sma</b>(a=1, b=2)<br><span style='font-size:13px'>on A, B, C, D, E, F, G and a few more "
    "of the symbols</span>"
)


def _fits(tab):
    """On a phone: no tag is broken, entries of the legend stand below; on paper: nothing is too wide."""
    layout = {"height": 800, "title": {"text": TITLE, "y": 0.97, "yref": "container", "yanchor": "top"}}
    layout |= {"legend": {"orientation": "h", "y": 1.05}, "margin": {"l": 50, "r": 10, "t": 90, "b": 40}}
    data = [{"type": "scatter", "name": name} for name in ("close", "a name that is rather long")]
    made = tab.evaluate("([layout, data]) => fitted(layout, 300, data)", [layout, data])
    assert re.sub("<br>", " ", made["title"]["text"]) == TITLE.replace("<br>", " ")
    assert made["title"]["text"].count("<br>") == 2
    assert made["title"]["pad"]["t"] == pytest.approx(24), "it hangs where it hung"
    assert made["legend"]["yref"] == "container"
    assert made["margin"]["b"] == 56 + 2 * 19
    assert made["height"] == pytest.approx(800 + 17 * 1.3 + 54), (
        "a line is as high as the title's own letters"
    )
    assert tab.evaluate("([layout, data]) => fitted(layout, 1200, data)", [layout, data]) == layout
    box = "document.querySelector('.chart .main-svg').getBoundingClientRect()"
    tab.evaluate("document.querySelector('.rich table').style.width = '1000px'")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.wait_for_function(f"{box}.width === 660")
    assert float(tab.evaluate("document.querySelector('.rich table').style.zoom")) == pytest.approx(0.67)
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    tab.wait_for_function(f"{box}.width < 360")
    assert tab.evaluate("document.querySelector('.rich table').style.zoom") == ""


def test_pictures_streams_and_markdown_outputs():
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# T\n", "\n", "<script>x</script> a | b"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "secret_code()",
            "outputs": [
                {"output_type": "stream", "name": "stderr", "text": ["\x1b[31mred\x1b[0m <x>"]},
                {"output_type": "display_data", "data": {"image/png": "aGk=\n", "text/plain": "<Figure>"}},
                {"output_type": "display_data", "data": {"image/svg+xml": "<svg/>"}},
                {"output_type": "display_data", "data": {"text/markdown": "**bold**"}},
                {"output_type": "execute_result", "data": {"text/plain": "1 < 2"}},
                {"output_type": "display_data", "data": {"application/x-unknown": "?"}},
            ],
        },
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "", "outputs": []},
    ]
    shown = "".join(blocks(cells))
    assert "<script>" not in shown
    assert "<pre class='stderr'>red &lt;x&gt;</pre>" in shown
    assert "src='data:image/png;base64,aGk='" in shown
    assert "src='data:image/svg+xml;base64," in shown
    assert "<strong>bold</strong>" in shown
    assert "<pre>1 &lt; 2</pre>" in shown
    assert "secret_code" not in shown


def test_nothing_is_promised_that_an_error_kept_from_being_made():
    failed = {"output_type": "error", "ename": "E", "evalue": "x", "traceback": []}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "## The data"},
        {"cell_type": "code", "metadata": {}, "source": "", "outputs": [failed]},
        {"cell_type": "markdown", "metadata": {}, "source": "## The result"},
    ]
    shown = "".join(blocks(cells))
    assert "The data" in shown
    assert "The result" not in shown


def test_a_picture_of_moves_marks_them_on_their_line():
    """The largest ones only, and only of a figure of moves; anything odd in it gives another picture."""
    days = [f"2020-01-{day:02}T00:00:00" for day in range(1, 31)]
    stamps = [f"{day}+00:00" for day in days]
    line = {"mode": "lines", "name": "close", "x": stamps, "y": list(range(1, 31)), "line": {"width": 1.2}}
    up = {"mode": "markers", "name": "up", "x": days[3:5], "y": [4, 5], "marker": {"size": [8.0, 20.0]}}
    down = {"mode": "markers", "name": "down", "x": days[9:10], "y": [10], "marker": {"size": 8.0}}
    figure = {"data": [line, up, down], "layout": {"yaxis": {"type": "log"}}}
    made = picture(figure)
    assert (made.count('class="gain"'), made.count('class="loss"'), made.count("<polyline")) == (2, 1, 1)
    assert picture({"data": [line, up]}).count("<path") == 0
    for odd in (up | {"x": ["2019-01-01"]}, up | {"marker": "x"}, up | {"x": None}):
        assert picture({"data": [line, odd, down]}).count("<polyline") == 1
