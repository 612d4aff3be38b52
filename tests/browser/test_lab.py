"""A real JupyterLab, as `make lab` starts it: Launcher, explorer, form, and figures without a kernel."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[2]
TOKEN = "for-this-test"
LINE = ".scatterlayer .trace path.js-line"


def notebook(*sources):
    cells = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "source": s,
            "outputs": [],
            "execution_count": None,
        }
        for i, s in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


class Lab:
    def __init__(self, home, port):
        self.home, self.address = home, f"http://127.0.0.1:{port}"

    def ask(self, path, method="GET", body=None, token=TOKEN):
        request = Request(
            f"{self.address}{path}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        if token:
            request.add_header("Authorization", f"token {token}")
        try:
            with urlopen(request, timeout=30) as reply:
                return reply.status, reply.read(), reply.headers
        except HTTPError as error:
            return error.code, error.read(), error.headers


@pytest.fixture(scope="module")
def lab(shared_home):
    home = shared_home
    for folder in ("templates", "tour"):
        shutil.copytree(ROOT / "notebooks" / folder, home / "notebooks" / folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {f"JUPYTER_{n}_DIR": str(home / "jupyter" / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    options = {
        "notebook-dir": "notebooks",
        "port": port,
        "IdentityProvider.token": TOKEN,
        "ServerApp.port_retries": 0,
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        *(f"--{k}={v}" for k, v in options.items()),
    ]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TAPEBOOK_")} | own
    environment["IPYTHONDIR"] = str(home / "ipython")
    with (home / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
    found, deadline = Lab(home, port), time.monotonic() + 60
    while True:
        try:
            found.ask("/api/status")
            break
        except OSError:
            assert server.poll() is None, (home / "lab.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
    yield found
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def page(browser, lab):
    page = browser.new_context(viewport={"width": 1300, "height": 1200}).new_page()
    page.set_default_timeout(60_000)
    yield page
    page.context.close()


def open_notebook(page, lab, name, *sources):
    folder = lab.home / "notebooks" / "my"
    folder.mkdir(exist_ok=True)
    if sources:
        (folder / name).write_text(notebook(*sources))
    page.goto(f"{lab.address}/lab/workspaces/{time.monotonic_ns()}/tree/my/{name}?token={TOKEN}")
    page.locator(".jp-Notebook").first.wait_for()


def run_all(page):
    page.get_by_text("| Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def test_the_installed_package_brings_its_part_of_lab():
    share, etc = Path(sys.prefix) / "share" / "jupyter", Path(sys.prefix) / "etc" / "jupyter"
    assert (share / "labextensions" / "tapebook" / "package.json").is_file(), "run `make` again"
    assert (etc / "jupyter_server_config.d" / "tapebook.json").is_file()


def test_the_server_lists_and_copies_templates_for_those_who_signed_in(lab):
    for path, method in (("/tapebook/templates", "GET"), ("/tapebook/templates/backtest", "POST")):
        assert lab.ask(path, method, token=None)[0] == 403
    listed = json.loads(lab.ask("/tapebook/templates")[1])
    assert {"backtest", "walk_forward"} <= {row["name"] for row in listed}
    assert next(row for row in listed if row["name"] == "backtest")["title"] == "One strategy on past bars"
    (lab.home / "notebooks" / "work" / "ideas").mkdir(parents=True)
    paths = [
        json.loads(lab.ask("/tapebook/templates/backtest", "POST", {"folder": folder})[1])["path"]
        for folder in ("", "templates", "tour", "work/ideas", "work/ideas")
    ]
    assert paths == [
        "my/backtest.ipynb",
        "my/backtest-1.ipynb",
        "my/backtest-2.ipynb",
        "work/ideas/backtest.ipynb",
        "work/ideas/backtest-1.ipynb",
    ]
    ours = lab.home / "notebooks" / "templates"
    copied = json.loads((lab.home / "notebooks" / paths[0]).read_text())
    assert copied["cells"] == json.loads((ours / "backtest.ipynb").read_text())["cells"]
    assert not list(ours.glob("backtest-*"))
    status, said, _ = lab.ask("/tapebook/templates/backtst", "POST", {})
    assert (status, "Did you mean 'backtest'" in json.loads(said)["reason"]) == (404, True)
    assert lab.ask("/tapebook/templates/..%2F..%2Ftapebook.toml", "POST", {})[0] in (400, 404)


def test_pages_of_runs_are_shown_in_a_box_to_those_who_signed_in(lab):
    folder = lab.home / "reports" / "r-1"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>a page</p>")
    status, said, headers = lab.ask("/tapebook/reports/r-1/report.html")
    assert (status, said) == (200, b"<p>a page</p>")
    assert headers["Content-Security-Policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in headers["Content-Security-Policy"]
    assert b"a page" not in lab.ask("/tapebook/reports/r-1/report.html", token=None)[1]
    assert lab.ask("/tapebook/reports/../tapebook.toml")[0] in (403, 404)


def test_a_click_in_the_launcher_opens_a_copy(lab, page):
    page.goto(f"{lab.address}/lab/workspaces/launcher?token={TOKEN}")
    page.get_by_text("tapebook reports").first.wait_for()
    names = [text.strip() for text in page.locator(".jp-LauncherCard-label").all_inner_texts()]
    assert {"backtest", "walk forward", "sweep"} <= set(names)
    page.locator(".jp-LauncherCard", has_text="walk forward").click()
    page.get_by_role("heading", name="Settings chosen on the past").wait_for()
    assert (lab.home / "notebooks" / "my" / "walk_forward.ipynb").is_file()


@pytest.mark.slow
def test_the_explorer_follows_and_its_figure_is_there_without_a_kernel(lab, page):
    code = (
        "from tapebook import Desk\ndesk = Desk.open()",
        "desk.explore('sma_cross', 'AAPL', start='2005')",
    )
    open_notebook(page, lab, "explore.ipynb", *code)
    run_all(page)
    equity = page.locator(LINE).nth(2)
    equity.wait_for()
    before = equity.get_attribute("d")
    assert len(before) > 1_000, "an empty line would pass for a chart"
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        f"d => {{ const p = document.querySelectorAll('{LINE}')[2]; return p && p.getAttribute('d') !== d }}",
        arg=before,
    )
    page.get_by_text("sma_cross(fast=18, slow=50) on AAPL").first.wait_for()
    page.wait_for_timeout(1_000)
    page.locator(".jp-Notebook").first.press("Control+s")
    saved = lab.home / "notebooks" / "my" / "explore.ipynb"
    deadline = time.monotonic() + 60
    while "fast=18" not in saved.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.3)
    for session in json.loads(lab.ask("/api/sessions")[1]):
        lab.ask(f"/api/sessions/{session['id']}", "DELETE")
    page.route("**/api/sessions**", lambda r: r.abort() if r.request.method == "POST" else r.continue_())
    open_notebook(page, lab, "explore.ipynb")
    page.get_by_text("Could it be luck?").wait_for()
    shown = page.locator(".jp-OutputArea-output .js-plotly-plot, .jp-OutputArea-output img").first
    shown.wait_for()
    assert shown.bounding_box()["height"] > 300


@pytest.mark.slow
def test_a_form_starts_a_run_and_leads_to_its_page(lab, page):
    code = ("from tapebook import Desk\ndesk = Desk.open()", "desk.form('backtest', symbols='MSFT')")
    open_notebook(page, lab, "form.ipynb", *code)
    run_all(page)
    button = page.get_by_role("button", name="Run the report")
    button.wait_for()
    fees = page.locator(".widget-text", has_text="fees").locator("input")
    fees.fill("many")
    fees.press("Tab")
    button.click()
    page.get_by_text("expected a number such as 0.5").wait_for()
    fees.fill("0.002")
    fees.press("Tab")
    button.click()
    link = page.get_by_role("link", name="sma_cross on MSFT")
    link.wait_for()
    with page.context.expect_page() as opened:
        link.click()
    report = opened.value
    report.locator(LINE).first.wait_for(timeout=60_000)
    assert report.url.startswith(f"{lab.address}/tapebook/reports/backtest-")
