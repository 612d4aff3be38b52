"""Long work says how far it is, and Ctrl-C ends it and leaves the desk usable."""

import os
import signal
import time
from contextlib import suppress

import pytest
from jupyter_client.manager import start_new_kernel

from tapebook.progress import _Cell, progress


def test_an_interrupt_that_a_library_swallows_is_raised_at_the_next_report():
    before = signal.getsignal(signal.SIGINT)
    with progress("working") as report:
        report(1, 10, "one")
        with suppress(KeyboardInterrupt):  # as a callback from compiled code does
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            report(2, 10, "two")
    assert signal.getsignal(signal.SIGINT) is before


def test_without_an_interrupt_every_report_arrives_and_nothing_is_left():
    before = signal.getsignal(signal.SIGINT)
    with progress("working") as report:
        for i in range(5):
            report(i, 5, "step")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_cell_is_told_how_far_it_is():
    bar = _Cell("sweeping <x>")
    bar.report(3, 12, "chunk & more")
    picture = bar._picture()
    assert picture["text/plain"].startswith("sweeping <x>: 3/12 · chunk & more · ")
    assert "sweeping &lt;x&gt; <progress value='3' max='12'" in picture["text/html"]
    assert "<progress  style" in _Cell("waiting")._picture()["text/html"], "before the first report"


@pytest.fixture(scope="module")
def kernel(shared_home):
    home = shared_home
    manager, client = start_new_kernel(
        kernel_name="python3", env=os.environ | {"TAPEBOOK_HOME": str(home)}, cwd=str(home)
    )
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client, code, hear=lambda *_: None):
    """Execute; return how it ended and what was printed."""
    said = []

    def output(message):
        hear(message["msg_type"], message["content"])
        if message["msg_type"] == "stream":
            said.append(message["content"]["text"])

    reply = client.execute_interactive(code, timeout=120, output_hook=output)["content"]
    return reply.get("ename", "ok"), "".join(said)


def test_a_sweep_in_a_notebook_shows_a_bar_can_be_stopped_and_leaves_the_desk_usable(kernel):
    manager, client = kernel
    assert run(client, "%xmode Minimal\nfrom tapebook import Desk\ndesk = Desk.open()")[0] == "ok"
    bars = []

    def stop_when_seen(kind, content):
        if kind in ("display_data", "update_display_data") and "sweeping" in str(content["data"]):
            if not bars:
                manager.interrupt_kernel()
            bars.append(content["data"]["text/plain"])

    began = time.monotonic()
    grid = "where='fast < slow', fast=range(2, 150), slow=range(20, 400)"
    sweep = f"desk.sweep('sma_cross', 'AAPL,MSFT,IBM', {grid})"
    ended, _ = run(client, f"sw = None\nsw = {sweep}", stop_when_seen)
    assert bars, "no bar was shown"
    assert time.monotonic() - began < 60, "53,000 combinations would take minutes"
    _, said = run(client, "print(sw is None or len(sw.table) < 50_000)")
    assert (ended in ("KeyboardInterrupt", "ok"), said) == (True, "True\n")
    code = "bt = desk.backtest('sma_cross', 'AAPL', fast=10)\nprint(len(desk.results()), bt.symbols)"
    assert run(client, code) == ("ok", "1 ('AAPL',)\n")
