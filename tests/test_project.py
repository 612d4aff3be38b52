"""What the project promises of itself: dependencies in step, nothing heavy on import, no stray files."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = [
    (name, Version(version)) for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", LOCK, re.M)
]


NOT_OURS = (".ipynb_checkpoints", "my")


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared():
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(text) for group in groups for text in group]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_the_lock_pins_what_pyproject_asks_for(requirement):
    versions = [version for name, version in LOCKED if canonical(name) == canonical(requirement.name)]
    assert versions, f"{requirement.name} is not in requirements.lock: run `make lock`"
    assert all(v in requirement.specifier for v in versions)


def test_conda_asks_for_the_same_as_pyproject():
    *_, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert [text for text in pip["pip"] if not text.startswith("--")] == PROJECT["dependencies"]


def test_every_pin_has_a_hash_and_no_index_is_named():
    assert len(re.findall(r"^\S+==", LOCK, re.M)) <= LOCK.count("--hash=sha256:")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in tracked:
        if name != "tests/test_project.py" and Path(name).suffix in {
            ".toml",
            ".lock",
            ".yml",
            ".json",
            ".txt",
            "",
        }:
            text = (ROOT / name).read_text(errors="replace")
            assert not re.search(r"index-url[ =]+http|https?://\S+/simple\b|\"resolved\"", text), name


def test_notebooks_are_stored_as_make_format_leaves_them(tmp_path):
    """No outputs, one way to write them, ids that stay: what differs between two versions is what changed."""
    kept = [p for p in (ROOT / "notebooks").rglob("*.ipynb") if p.parent.name not in NOT_OURS]
    copies = {path: tmp_path / f"{path.parent.name}-{path.name}" for path in kept}
    for path, copy in copies.items():
        copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "nbstripout", "--keep-id", *map(str, copies.values())]
    subprocess.run(command, check=True)
    assert [p.name for p, copy in copies.items() if p.read_bytes() != copy.read_bytes()] == []


def test_notebooks_are_stored_without_outputs():
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        if path.parent.name in NOT_OURS:
            continue
        cells = json.loads(path.read_text())["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path.name


def loaded_after(statement):
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {
    "pandas",
    "numpy",
    "vectorbt",
    "numba",
    "scipy",
    "plotly",
    "duckdb",
    "sqlalchemy",
    "polars",
    "talib",
    "optuna",
}


@pytest.mark.parametrize("statement", ["import tapebook", "import tapebook.cli"])
def test_the_face_is_light(statement):
    assert not HEAVY & loaded_after(statement)


def test_a_desk_opens_without_the_engine():
    loaded = loaded_after("from tapebook import Desk; import tapebook.strategy; Desk.open('.')")
    assert not {"vectorbt", "numba", "plotly"} & loaded


def test_every_public_name_is_there():
    import tapebook

    assert all(getattr(tapebook, name) is not None for name in tapebook.__all__)
    with pytest.raises(AttributeError, match="no attribute 'desk_'"):
        tapebook.desk_  # noqa: B018


def test_licences_are_named():
    readme = (ROOT / "README.md").read_text()
    assert "Commons Clause" in readme
