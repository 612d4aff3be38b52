import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tapebook.config import Config
from tapebook.data.catalog import Catalog

TEMPLATES = Path(__file__).parent / "templates"


@pytest.fixture
def config(tmp_path):
    """A desk with an empty lake and the toy templates."""
    shutil.copytree(TEMPLATES, tmp_path / "nb" / "templates")
    return replace(Config.load(tmp_path), notebooks=tmp_path / "nb")


@pytest.fixture
def catalog(config):
    catalog = Catalog.open(config)
    yield catalog
    catalog.close()
