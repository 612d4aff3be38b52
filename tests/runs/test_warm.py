"""Warm kernels: forks that share nothing, however they, their clients or their server end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from runs_made import alive, toy_desk, until
from tapebook import runs
from tapebook.errors import RunFailed, TapebookError
from tapebook.runs import warm
from tapebook.runs.warm import spec
from tapebook.runs.warm.code import Code

PARENT = Path(__file__).parent / "run_parent.py"


def found(run):
    return json.loads((run.folder / "found.json").read_text())


def test_no_run_sees_what_another_has_done_to_its_process(config, kernels, tmp_path, monkeypatch):
    before = found(runs.run(config, "state", {}, kernels=kernels))
    spoilt = runs.run(config, "state", {"spoil": True}, kernels=kernels)
    assert found(spoilt)["patched module"], "the template spoils nothing"
    after_run = runs.run(config, "state", {}, kernels=kernels)
    after = found(after_run)
    own = ("pid", "fresh", "folder")
    assert {n: v for n, v in after.items() if n not in own} == {
        n: v for n, v in before.items() if n not in own
    }
    assert after["folder"] == str(after_run.folder)
    assert after["pid"] != before["pid"]
    assert after["fresh"] != before["fresh"]
    assert after_run.manifest["kernel"] == "warm"
    # and a warm process is what a cold one is
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    cold = runs.run(config, "state", {})
    assert cold.manifest["kernel"] == "cold"
    assert {n: v for n, v in found(cold).items() if n not in own} == {
        n: v for n, v in after.items() if n not in own
    }


def test_a_kernel_outside_a_run_has_its_debugger(kernels):
    """A run's goes without; the server has imported both, and mixes them up in neither."""
    code = "import ipykernel.debugger as d, ipykernel.ipkernel as k, sys\n"
    code += "print(d._is_debugpy_available, k.sys is sys)"
    assert executed(kernels, code).split() == ["True", "True"]


def test_unseeded_generators_differ_between_forks(kernels):
    """Outside a run nobody seeds: two notebooks in Lab must not draw the same numbers."""
    code = (
        "import random, numpy; print(random.random(), numpy.random.random(), random.SystemRandom().random())"
    )
    one, two = (executed(kernels, code) for _ in range(2))
    assert len({*one.split(), *two.split()}) == 6


def started(kernels):
    """A kernel `tapebook`, found as Jupyter's tools find it, and a client of it."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import KernelManager

    specs = KernelSpecManager(kernel_dirs=[str(kernels.folder / "jupyter" / "kernels")])
    manager = KernelManager(kernel_name=warm.NAME, kernel_spec_manager=specs)
    manager.start_kernel(env={**os.environ, **kernels.environment})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    return manager, client


def executed(kernels, code):
    """What a kernel prints."""
    manager, client = started(kernels)
    said = []
    try:
        client.execute_interactive(
            code, timeout=30, output_hook=lambda m: said.append(m["content"].get("text", ""))
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return "".join(said)


def test_a_kernel_is_interrupted_and_ends_as_any_other(kernels):
    manager, client = started(kernels)
    try:
        message = client.execute("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
        pid = int(
            next(m for m in iter(client.get_iopub_msg, None) if m["msg_type"] == "stream")["content"]["text"]
        )
        assert pid != manager.provisioner.process.pid
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=60)
        assert reply["parent_header"]["msg_id"] == message
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        process = manager.provisioner.process
        while process.poll() is None:  # what is asked right after an error is refused
            client.execute("import os; os._exit(7)")
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
        assert process.returncode == 7
        assert until(lambda: not alive(pid))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_two_runs_at_once_do_not_mix(config, kernels):
    cases = [{"steps": steps, "scale": scale} for steps in (3, 5) for scale in (1.0, 2.0)]
    batch = runs.run_many(config, "toy", cases, jobs=2, kernels=kernels)
    assert batch.counts == {"succeeded": 4}
    ends = [runs.load(config, id).metrics["end"]["value"] for id in batch.run_ids]
    assert ends[1] == pytest.approx(2 * ends[0])
    assert ends[3] == pytest.approx(2 * ends[2])
    alone = runs.run(config, "toy", cases[2], kernels=kernels)
    assert alone.metrics["end"]["value"] == ends[2]


def test_a_server_that_dies_is_replaced_and_no_run_suffers(config, monkeypatch):
    with warm.serving(config) as kernels:
        assert kernels.wait()
        seen, another = threading.Event(), kernels._start
        monkeypatch.setattr(kernels, "_start", lambda: (seen.wait(60), another()))
        result = {}
        thread = threading.Thread(
            target=lambda: result.update(run=runs.run(config, "state", {"seconds": 2.0}, kernels=kernels))
        )
        thread.start()
        assert until(
            lambda: (
                list(config.reports.glob("*/kernel.log"))
                and any("process" in p.read_text() for p in config.reports.glob("*/kernel.log"))
            )
        )
        dead = kernels.pid
        os.kill(dead, signal.SIGKILL)
        run = runs.run(config, "toy", {"steps": 3}, kernels=kernels)
        assert run.outcome == "succeeded"
        assert run.manifest["kernel"].startswith("cold: the fork server does not answer")
        seen.set()
        thread.join()
        assert result["run"].outcome == "succeeded"  # its kernel outlived the server
        assert until(lambda: kernels.pid not in (dead, None))
        assert runs.run(config, "toy", {"steps": 3}, kernels=kernels).manifest["kernel"] == "warm"
    assert not kernels.folder.exists()


def test_other_code_is_not_run_in_old_forks(config, tmp_path):
    script = config.notebooks / "warm_up.py"
    with warm.serving(config) as kernels:
        assert kernels.wait()
        os.utime(script)
        assert runs.run(config, "toy", {"steps": 3}, kernels=kernels).manifest["kernel"] == "warm"
        old = kernels.pid
        script.write_text(script.read_text() + "import decimal\n")
        run = runs.run(config, "toy", {"steps": 3}, kernels=kernels)
        assert run.manifest["kernel"] == "cold: the code was changed since the fork server started"
        assert until(lambda: kernels.pid not in (old, None) and kernels.wait(0.1))
        assert runs.run(config, "toy", {"steps": 3}, kernels=kernels).manifest["kernel"] == "warm"
        assert until(lambda: not alive(old))


def test_code_is_compared_by_what_is_in_it(tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "sub").mkdir(parents=True)
    source, script = package / "sub" / "a.py", tmp_path / "warm_up.py"
    source.write_text("x = 1\n")
    script.touch()
    monkeypatch.setattr("tapebook.runs.provenance.PACKAGE", package)
    code = Code.now(script)
    assert code.changed() == ""
    os.utime(source, (1, 1))
    assert code.changed() == ""
    source.write_text("x = 2\n")
    assert "code was changed" in code.changed()
    source.write_text("x = 1\n")
    assert code.changed() == ""
    (package / "new.py").touch()
    assert "code was changed" in code.changed()


def test_what_libraries_read_at_their_import_cannot_be_had_warm(config, kernels, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    run = runs.run(config, "toy", {"steps": 3}, kernels=kernels)
    assert run.manifest["kernel"] == "cold: NUMBA_NUM_THREADS is not what the fork server was started with"


def test_a_kernel_that_is_killed_takes_nothing_along(config, kernels):
    server = kernels.pid
    with pytest.raises(RunFailed) as caught:
        runs.run(config, "trouble", {"how": "die"}, kernels=kernels)
    assert caught.value.outcome == "killed"
    assert runs.run(config, "toy", {"steps": 3}, kernels=kernels).manifest["kernel"] == "warm"
    assert kernels.pid == server


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_kernel_ends_with_the_program_that_ran_it(config, kernels, number):
    command = [sys.executable, str(PARENT), str(config.home), str(config.notebooks), "hang"]
    program = subprocess.Popen(command, env={**os.environ, **kernels.environment})
    assert until(lambda: list(config.reports.glob("*/hanging")), 120)
    program.send_signal(number)
    program.wait(60)
    (mark,) = config.reports.glob("*/kernel.pid")
    assert until(lambda: not alive(int(mark.read_text())), 60)
    run = runs.load(config, mark.parent.name)
    assert run.outcome == ("lost" if number == signal.SIGKILL else "cancelled")
    assert "before the trouble" in run.notebook.read_text()


def test_kernels_end_with_a_client_also_when_their_server_is_gone(config):
    with warm.serving(config) as kernels:
        assert kernels.wait()
        command = [sys.executable, str(PARENT), str(config.home), str(config.notebooks), "hang"]
        program = subprocess.Popen(command, env={**os.environ, **kernels.environment})
        assert until(lambda: list(config.reports.glob("*/hanging")), 120)
        server = kernels.pid
        os.kill(server, signal.SIGKILL)
        assert until(lambda: not alive(server))
        (mark,) = config.reports.glob("*/kernel.pid")
        assert alive(int(mark.read_text()))
        program.kill()
        program.wait()
        assert until(lambda: not alive(int(mark.read_text())), 60)


def test_the_server_ends_with_its_owner(tmp_path, config):
    code = (
        "import os, signal, sys; from tapebook.config import Config; from tapebook.runs.warm import serving\n"
        f"with serving(Config.load({str(config.home)!r})) as k:\n"
        "    print(k.pid, k.folder, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert until(lambda: not alive(int(said[0])), 30)
    assert until(lambda: not Path(said[1]).exists())


def test_a_run_finds_the_server_of_another_program(config, kernels):
    assert warm.found() == kernels.environment[warm.SOCKET]
    assert runs.run(config, "toy", {"steps": 3}).manifest["kernel"] == "warm"


def test_the_kernel_is_put_where_jupyter_looks(tmp_path, monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager

    monkeypatch.setattr("sys.prefix", str(tmp_path / "env"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "user"))
    assert warm.installed() == []
    folders = [warm.install(), warm.install(user=True)]
    for folder, root in zip(folders, ("env/share/jupyter", "user"), strict=True):
        assert folder == tmp_path / root / "kernels" / "tapebook"
        known = KernelSpecManager(kernel_dirs=[str(folder.parent)]).get_kernel_spec("tapebook")
        assert known.argv == spec.argv()
    assert warm.remove() == folders
    assert warm.installed() == []


def test_papermill_and_nbval_start_it_by_its_name(config, kernels, tmp_path):
    import papermill

    env = {**os.environ, **kernels.environment, "TAPEBOOK_HOME": str(config.home)}
    template = config.notebooks / "templates" / "toy.ipynb"
    options = ["-k", "tapebook", "--no-progress-bar", "-p", "steps", "4"]
    out = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(template), str(out), *options]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "starts cold" not in done.stderr
    assert papermill.__name__ == "papermill"
    checked = tmp_path / "checked.ipynb"
    notebook = json.loads(template.read_text())
    notebook["cells"] = [c for c in notebook["cells"] if c["cell_type"] == "code"][:1]
    checked.write_text(json.dumps(notebook))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "--nbval-lax"]
    done = subprocess.run(
        [*command, "--nbval-kernel-name", "tapebook", str(checked)],
        env=env, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "starts cold" not in done.stdout + done.stderr


def test_libraries_with_threads_of_their_own_work_in_a_fork(kernels):
    code = """
import numpy as np, pandas as pd, polars as pl, pyarrow as pa, duckdb, io
frame = pl.DataFrame({"a": np.arange(10000) % 7, "b": np.arange(10000.0)})
print(frame.lazy().group_by("a").agg(pl.col("b").sum()).collect(engine="streaming").height)
table = pa.table({"a": list(range(1000))}); pd.DataFrame({"a": [1.0]}).to_parquet(io.BytesIO())
print(duckdb.connect().execute("SELECT count(*) FROM range(100000)").fetchone()[0])
print(np.linalg.inv(np.eye(200)).trace())
"""
    assert executed(kernels, code).split() == ["7", "100000", "200.0"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["backtest", "portfolio"])
def test_plain_papermill_with_a_plain_kernel_runs_the_templates(name, sample_home, tmp_path, monkeypatch):
    from tapebook.runs.light import light

    with light():
        import papermill

    monkeypatch.setenv("TAPEBOOK_HOME", str(sample_home))
    monkeypatch.delenv(warm.SOCKET, raising=False)
    template = Path(__file__).parents[2] / "notebooks" / "templates" / f"{name}.ipynb"
    done = papermill.execute_notebook(str(template), str(tmp_path / "out.ipynb"), {}, progress_bar=False)
    assert done.metadata.kernelspec.name == "python3"
    assert all(c.metadata.papermill.status == "completed" for c in done.cells)


@pytest.mark.slow
def test_a_report_is_the_same_to_the_last_bit_warm_and_cold(sample_desk, monkeypatch, request):
    from tapebook.runs.warm import serving

    private = tempfile.mkdtemp(prefix="tb-")  # a socket's path must be short
    request.addfinalizer(lambda: shutil.rmtree(private, ignore_errors=True))
    monkeypatch.setenv("XDG_RUNTIME_DIR", private)
    given = {"symbols": "AAPL", "params": "fast=20 slow=100", "start": "2005"}
    cold = runs.run(sample_desk.config, "backtest", given)
    assert cold.manifest["kernel"] == "cold"
    with serving(replace(sample_desk.config)) as kernels:
        again = runs.rerun(sample_desk.config, cold.id, kernels=kernels)
    assert again.manifest["kernel"] == "warm"
    assert (again.folder / "metrics.json").read_bytes() == (cold.folder / "metrics.json").read_bytes()
    assert again.tables["expectancy"].equals(cold.tables["expectancy"])


def test_a_folder_that_others_may_write_is_not_asked(config, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / f"tapebook-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    assert warm.found() is None
    with (
        pytest.raises(TapebookError, match="belongs to somebody else or is open to others"),
        warm.serving(config),
    ):
        pass


def test_toy_desks_warm_up_with_their_own_script(config):
    from tapebook.runs.warm.start import warm_up_of

    assert warm_up_of(config) == config.notebooks / "warm_up.py"
    (config.notebooks / "warm_up.py").unlink()
    assert warm_up_of(config).name == "warm_up.py"
    assert "synthetic" in warm_up_of(config).read_text()
    assert toy_desk
