"""Eight writers and eight readers on PostgreSQL: no error, no batch lost, doubled or half seen."""

import multiprocessing
from dataclasses import replace

import pytest

from contracts import lake_processes as processes
from tapebook.config import Config
from tapebook.data.lake import Lake

EACH, SECONDS = 8, 10


@pytest.mark.slow
def test_eight_writers_and_eight_readers(postgres_url, tmp_path):
    database = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    config = replace(Config.load(tmp_path), database=database)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["contracts.lake_processes", "duckdb", "pyarrow", "tapebook.data.panels"])
    ready, told = context.Barrier(2 * EACH), context.Queue()
    with Lake.open(config) as lake:
        lake.write()  # makes the tables
    jobs = [
        context.Process(target=act, args=(config, who, SECONDS, told), kwargs={"ready": ready})
        for act in (processes.write, processes.read)
        for who in range(EACH)
    ]
    for job in jobs:
        job.start()
    answers = [told.get(timeout=SECONDS + 120) for _ in jobs]
    for job in jobs:
        job.join(30)
    assert [job.exitcode for job in jobs] == [0] * len(jobs)
    wrote = {f"w{who}": number for what, who, number in answers if what == "wrote"}
    assert len(wrote) == EACH
    assert min(wrote.values()) > 0
    with Lake.open(config) as lake:
        assert processes.whole_batches(lake) == wrote
