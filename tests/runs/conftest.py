import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tapebook import runs
from tapebook.config import Config
from tapebook.data.catalog import Catalog

TEMPLATES = Path(__file__).parent / "templates"


def toy_desk(home):
    """A desk with an empty lake and the toy templates."""
    shutil.copytree(TEMPLATES, home / "nb" / "templates")
    return replace(Config.load(home), notebooks=home / "nb")


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
