"""Fixtures that many tests share: a desk with the sample loaded, and a real PostgreSQL server."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tapebook.runs.light import light

with light():
    import jsonschema  # noqa: F401  (many import it: two seconds less in each process that tests)

settings.register_profile("tapebook", deadline=None)  # how long a case takes is for benchmarks to say
settings.load_profile("tapebook")
NOTHING_SKIPPED = "TAPEBOOK_NOTHING_SKIPPED"

# A shell without job control starts what it puts in the background deaf to Ctrl-C, and all its children too:
# tests that interrupt something would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Lakes and catalogues wait for the disk at each commit, and no file of a test must survive a power cut.
MEMORY, ROOM = Path("/dev/shm"), 3 * 2**30
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, by name: those that wait lie among those that compute."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (0, item.path.name) if item.path in slow else (1, ""))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return not_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return not_skipped((yield))


def not_skipped(report):
    """On CI, which has everything, a test or a file that would skip fails."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(NOTHING_SKIPPED):
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped here: {report.longrepr[-1]}"
    return report


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium that playwright can drive."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or pytest.skip("install Chromium (Debian: apt install chromium) for the browser tests")


def once(tmp_path_factory, name, make):
    """Make a folder once for all of pytest-xdist's workers."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
    folder = root / name
    with FileLock(root / f"{name}.lock"):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session")
def sample_master(tmp_path_factory):
    """A desk's folder with the sample ingested: copy it, do not write to it."""

    def make(folder):
        from tapebook import Desk

        (folder / "tapebook.toml").touch()
        with Desk.open(folder) as desk:
            desk.ingest("sample")

    return once(tmp_path_factory, "sample-desk", make)


@pytest.fixture
def sample_home(sample_master, tmp_path):
    """A desk's folder of this test's own, with the sample ingested."""
    return copied(sample_master, tmp_path / "desk")


@pytest.fixture(scope="module")
def shared_home(sample_master, tmp_path_factory):
    """A desk's folder with the sample ingested, which the tests of one file share."""
    return copied(sample_master, tmp_path_factory.mktemp("shared") / "desk")


def copied(master, home):
    shutil.copytree(master, home, ignore=shutil.ignore_patterns("done", "*.lock"))
    return home


@pytest.fixture
def sample_desk(sample_home):
    from tapebook import Desk

    with Desk.open(sample_home) as desk:
        yield desk


@pytest.fixture(scope="session")
def warm_kernels():
    """A fork server as `tapebook dashboards` and batches have one; `environment` leads to it."""
    from tapebook.config import Config
    from tapebook.runs.warm import serving

    folder = tempfile.mkdtemp(prefix="tb-")  # no other program of this machine looks there
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        with serving(Config.load(folder)) as kernels:
            patch.undo()
            assert kernels.wait(120), (kernels.folder / "log").read_text()
            yield kernels
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def warm_runs(warm_kernels, monkeypatch):
    """Let what this test runs start warm."""
    for name, value in warm_kernels.environment.items():
        monkeypatch.setenv(name, value)


def postgres_binaries():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server of this session's own: (host, port, user)."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("install PostgreSQL (Debian: apt install postgresql) for the team storage tests")
    root = os.geteuid() == 0
    account = "postgres" if root else pwd.getpwuid(os.geteuid()).pw_name
    # pytest's own folders are closed to other accounts
    folder = Path(tempfile.mkdtemp(prefix="tapebook-postgres-"))
    if root:  # the server refuses to run as root
        shutil.chown(folder, account)
    prefix = ["runuser", "-u", account, "--"] if root else []

    def call(program, *args):
        subprocess.run(
            [*prefix, str(binaries / program), *args], check=True, cwd="/", stdout=subprocess.DEVNULL
        )

    call("initdb", "-D", str(folder / "db"), "-A", "trust", "-U", "tapebook", "--no-sync")
    how = "-c fsync=off -c listen_addresses=127.0.0.1 -c max_connections=200"
    while True:
        port = free_port()
        options = f"-p {port} -k {folder} {how}"
        try:
            call("pg_ctl", "-D", str(folder / "db"), "-w", "-l", str(folder / "log"), "-o", options, "start")
            break
        except subprocess.CalledProcessError:  # the port was free: another program may have been quicker
            if "Address already in use" not in (folder / "log").read_text():
                raise
            (folder / "log").write_text("")
    yield "127.0.0.1", port, "tapebook"
    call("pg_ctl", "-D", str(folder / "db"), "-m", "fast", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server):
    """URL of a fresh, empty database, which is dropped afterwards: memory may be all the disk there is."""
    from uuid import uuid4

    import psycopg

    host, port, user = postgres_server
    name = f"t{uuid4().hex[:12]}"

    def call(statement):
        with psycopg.connect(f"postgresql://{user}@{host}:{port}/postgres", autocommit=True) as connection:
            connection.execute(statement)

    call(f"CREATE DATABASE {name}")
    yield f"postgresql://{user}@{host}:{port}/{name}"
    call(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def s3_server():
    """Address of an S3 server of this session's own (moto's)."""
    import logging

    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_server, monkeypatch):
    """URL of a fresh, empty bucket; the AWS_* variables lead to it."""
    from urllib.request import Request, urlopen
    from uuid import uuid4

    said = {
        "AWS_ACCESS_KEY_ID": "key-of-the-tests",
        "AWS_SECRET_ACCESS_KEY": "planted-s3-secret-of-the-tests",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": s3_server,
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid4().hex[:12]}"
    urlopen(Request(f"{s3_server}/{name}", method="PUT")).close()
    return f"s3://{name}"
