import shutil
import tempfile

import pytest

from runs_made import toy_desk
from tapebook import runs
from tapebook.data.catalog import Catalog
from tapebook.runs.warm import serving


@pytest.fixture(scope="session", autouse=True)
def private_kernels():
    """Look for fork servers where no other program of this machine has any."""
    folder = tempfile.mkdtemp(prefix="tb-")  # pytest's own folders may be too long for a socket's path
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        patch.delenv("TAPEBOOK_KERNELS", raising=False)
        yield
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory, private_kernels):
    """A fork server that has imported little; tests may not kill it."""
    with serving(toy_desk(tmp_path_factory.mktemp("warm-desk"))) as kernels:
        assert kernels.wait(), (kernels.folder / "log").read_text()
        yield kernels


@pytest.fixture
def config(tmp_path):
    return toy_desk(tmp_path)


@pytest.fixture
def catalog(config):
    catalog = Catalog.open(config)
    yield catalog
    catalog.close()


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """A run that succeeded, read only: its desk, the run, and what was said of its progress."""
    config = toy_desk(tmp_path_factory.mktemp("toy-desk"))
    seen = []
    parameters = {"steps": "20", "symbols": ["AAPL", "MSFT"]}
    run = runs.run(config, "toy", parameters, progress=lambda *said: seen.append(said))
    return config, run, seen
