"""A worker whose PostgreSQL is stopped and started: it goes on by itself, and runs everything once."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

from data.test_restart import Server, Shelf
from tapebook import Desk

CELLS = [
    "wait: float = 0.0  # seconds",
    "import time\nfrom tapebook import Recorder\ntime.sleep(wait)\n"
    "Recorder.current().metrics({'n': (1.0, '', 'one')})",
]


def template(home):
    kinds = [{"tags": ["parameters"]}, {}]
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": kind, "source": source, "outputs": []}
        | {"execution_count": None}
        for n, (source, kind) in enumerate(zip(CELLS, kinds, strict=True))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    folder = home / "notebooks" / "templates"
    folder.mkdir(parents=True)
    said = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "toy.ipynb").write_text(json.dumps(said))


@pytest.mark.slow
def test_a_worker_goes_on_after_its_database_was_away(tmp_path):
    server = Server()
    try:
        (tmp_path / "tapebook.toml").write_text(f'database = "{server.database("work")}"\n')
        template(tmp_path)
        with Desk.open(tmp_path) as desk:
            desk.schedule("fresh", "toy", {"wait": 3.0}, on="bars.updated")
            asked = [sys.executable, "-m", "tapebook", "--home", str(tmp_path), "worker"]
            with (
                (tmp_path / "worker.log").open("w") as log,
                subprocess.Popen(asked, stdout=log, stderr=log) as worker,
            ):
                try:
                    goes_on(desk, server, worker)
                    worker.send_signal(signal.SIGINT)
                    worker.wait(120)
                finally:
                    worker.kill()
        assert worker.returncode == 0, (tmp_path / "worker.log").read_text()
    finally:
        server.stop("immediate")
        shutil.rmtree(server.folder)


def goes_on(desk, server, worker):
    def states():
        return [row["state"] for row in desk.catalog.occasions.list("fresh")]

    def wait(true):
        until = time.monotonic() + 180
        while not true():
            assert worker.poll() is None, (desk.config.home / "worker.log").read_text()
            assert time.monotonic() < until, (states(), (desk.config.home / "worker.log").read_text())
            time.sleep(0.1)

    def away():
        server.stop("immediate")
        time.sleep(1.0)
        server.start()

    assert not desk.ingest(Shelf(0)).failed
    wait(lambda: states() == ["succeeded"])
    away()  # while it sleeps
    assert not desk.ingest(Shelf(1)).failed
    wait(lambda: len(states()) == 2 and desk.runs()["outcome"].iloc[0] in ("running", "succeeded"))
    away()  # in the middle of a run, unless this machine is too busy to see it go on
    wait(lambda: states() == ["succeeded"] * 2)
    runs = desk.runs()
    assert set(runs["outcome"]) <= {"succeeded", "lost", "died", "cancelled"}
    assert runs["outcome"].tolist().count("succeeded") == 2, "each once"
    told = [event.run for event in desk.events(None, topics=["run.finished"])]
    assert len(told) == len(set(told))
