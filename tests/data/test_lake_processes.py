"""Readers beside writers, and writers killed in the middle: real processes, real files."""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from queue import Empty

import pytest

from contracts import lake_processes as processes
from tapebook.config import Config
from tapebook.data.lake import Lake

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["contracts.lake_processes", "duckdb", "pyarrow", "tapebook.data.panels"])


@pytest.fixture(params=["sqlite", "postgres"])
def config(request, tmp_path):
    made = Config.load(tmp_path)
    if request.param == "sqlite":
        return made
    url = request.getfixturevalue("postgres_url")
    return replace(made, database=url.replace("postgresql://", "postgresql+psycopg://"))


def together(config, seconds, *, compact_every):
    """Six readers beside two writers; return what each told."""
    told, ready = CONTEXT.Queue(), CONTEXT.Barrier(8)
    writers = ({"ready": ready, "compact_every": compact_every}, {"ready": ready})
    jobs = [
        CONTEXT.Process(target=processes.write, args=(config, n, seconds, told), kwargs=options)
        for n, options in enumerate(writers)
    ]
    jobs += [
        CONTEXT.Process(target=processes.read, args=(config, n, seconds, told), kwargs={"ready": ready})
        for n in range(6)
    ]
    patience = time.time() + seconds + 120
    for job in jobs:
        job.start()
    answers = []
    try:
        while len(answers) < len(jobs) and time.time() < patience:
            try:
                answers.append(told.get(timeout=1))
            except Empty:
                assert all(job.exitcode in (None, 0) for job in jobs), "a process failed: see its traceback"
    finally:
        for job in jobs:
            job.join(20)
            if job.is_alive():
                job.kill()
    assert [job.exitcode for job in jobs] == [0] * len(jobs)
    return answers


def check(config, answers):
    wrote = {f"w{who}": number for what, who, number in answers if what == "wrote"}
    assert len(wrote) == 2, answers
    assert min(wrote.values()) > 0, answers
    assert all(number > 0 for what, _, number in answers if what == "read"), answers
    with Lake.open(config) as lake:
        assert processes.whole_batches(lake) == wrote


def test_readers_see_whole_batches_while_others_write_and_compact(config):
    check(config, together(config, 4, compact_every=4))


@pytest.mark.slow
def test_readers_see_whole_batches_for_a_minute(config):
    check(config, together(config, 60, compact_every=25))


def kill_writers(config, times, seed):
    """Kill a writer at random moments; the batches that are there are whole, and none is lost."""
    chance, before, patience = random.Random(seed), 0, 1.0
    for _ in range(times):
        told, ready = CONTEXT.Queue(), CONTEXT.Barrier(2)
        options = {"ready": ready, "compact_every": 3}
        job = CONTEXT.Process(target=processes.write, args=(config, 0, 60, told), kwargs=options)
        job.start()
        ready.wait(120)
        time.sleep(patience * chance.random())
        os.kill(job.pid, signal.SIGKILL)
        job.join()
        with Lake.open(config) as lake:
            now = processes.whole_batches(lake).get("w0", 0)
        assert now >= before
        patience = patience * 2 if now == before else 1.0  # a busy machine: it had not come to writing
        before = now
    assert before > 0
    return before


def test_a_killed_writer_leaves_whole_batches(config):
    kill_writers(config, 4, seed=1)


@pytest.mark.slow
def test_a_writer_killed_twenty_times_leaves_whole_batches(config):
    kill_writers(config, 20, seed=2)
