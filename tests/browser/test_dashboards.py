"""The dashboards in a real browser: drawn, changed by a control, and all of it from this machine."""

import os
from urllib.parse import urlparse

import pytest

from dashboards.records_made import make_run
from tapebook.config import Config
from tapebook.dashboards import serve

pytestmark = pytest.mark.xdist_group("browser")
LINE = ".scatterlayer .trace path.js-line"
PATIENCE = 60_000  # milliseconds


@pytest.fixture(scope="module")
def address(tmp_path_factory, chromium):
    home = tmp_path_factory.mktemp("shown")
    (home / "tapebook.toml").touch()
    config = Config.load(home)
    make_run(config.reports, "one")
    make_run(config.reports, "two", strategy="momentum", symbols="AAPL,MSFT", template="portfolio", days=1)
    error = {"cell": 4, "name": "ValueError", "message": "no bars", "traceback": "…"}
    make_run(config.reports, "three", symbols="IBM", outcome="failed", error=error, days=2)
    os.environ.pop("QUERY_STRING", None)
    server, found = serve.start(config)
    yield found.removesuffix("gallery.ipynb")
    serve.stop(server)


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


def test_the_gallery_filters_and_leads_to_a_run(page, address):
    page.goto(f"{address}gallery.ipynb")
    page.get_by_role("link", name="momentum on AAPL,MSFT").wait_for()
    assert page.locator(".tb tbody tr").count() == 3
    page.locator(".widget-dropdown", has_text="outcome").locator("select").select_option("failed")
    page.get_by_text("ValueError: no bars").wait_for()
    page.wait_for_function("document.querySelectorAll('.tb tbody tr').length === 1")
    page.locator(".widget-dropdown", has_text="outcome").locator("select").select_option("all")
    page.get_by_role("link", name="sma_cross on AAPL", exact=True).click()
    page.get_by_role("heading", name="sma_cross on AAPL").wait_for()
    page.locator(LINE).first.wait_for()


def test_a_control_changes_the_chart(page, address):
    page.goto(f"{address}run.ipynb?run=two")
    line = page.locator(LINE).first
    line.wait_for()
    first = line.get_attribute("d")
    assert len(first) > 1_000, "an empty line would pass for a chart"
    page.locator(".widget-dropdown", has_text="figure").locator("select").select_option("drawdown")
    page.wait_for_function(
        f"(d) => {{ const p = document.querySelector('{LINE}'); return p && p.getAttribute('d') !== d }}",
        arg=first,
    )
    second = page.locator(LINE).first.get_attribute("d")
    assert len(second) > 500
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        f"(d) => {{ const p = document.querySelector('{LINE}'); return p && p.getAttribute('d') !== d }}",
        arg=second,
    )
    page.get_by_text("snapshot 3").wait_for()


@pytest.mark.parametrize(
    "page", [{"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}], indirect=True
)
def test_the_gallery_fits_a_phone(page, address):
    page.goto(f"{address}gallery.ipynb")
    page.locator(".spark polyline").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 392
    table = page.locator(".tb .scroll").first
    assert table.evaluate("e => e.scrollWidth <= e.clientWidth"), "nothing to be scrolled sideways"


def test_a_run_that_is_not_there_is_a_sentence(page, address):
    page.goto(f"{address}run.ipynb?run=nothing")
    page.get_by_text("There is no report").wait_for()


@pytest.mark.parametrize(
    "page", [{"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}], indirect=True
)
def test_it_fits_a_phone_in_the_dark(page, address):
    page.goto(f"{address}run.ipynb?run=one")
    page.locator(LINE).first.wait_for()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 392
    script = "getComputedStyle(document.querySelector('#rendered_cells > div')).backgroundColor"
    ground = page.evaluate(script)
    assert ground == "rgb(18, 22, 27)"


def test_files_beside_the_dashboards_are_not_served(page, address):
    root = address.split("/voila/")[0]
    for path in ("/voila/files/run.ipynb", "/voila/files/../../tapebook.toml"):
        assert page.request.get(root + path).status >= 400
