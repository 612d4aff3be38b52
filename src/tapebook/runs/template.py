"""Templates: notebooks with one cell tagged `parameters`, read and checked without running them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput, UnknownName
from tapebook.runs.parameters import Parameter, declared

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.config import Config


@dataclass(frozen=True)
class Template:
    """A notebook on disk and the name that it was asked for by."""

    name: str
    path: Path

    @cached_property
    def notebook(self) -> dict[str, Any]:
        """The notebook as JSON.

        Raises
        ------
        BadInput
            If the file is no notebook.
        """
        try:
            said = json.loads(self.path.read_text(encoding="utf-8"))
            _ = said["cells"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{self.path} is not a Jupyter notebook (.ipynb): {error!r}") from error
        return dict(said)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the cells' kinds and sources: outputs and ids do not count."""
        cells = [(cell["cell_type"], _source(cell)) for cell in self.notebook["cells"]]
        return hashlib.sha256(json.dumps(cells).encode()).hexdigest()

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """What it may be told, in order.

        Raises
        ------
        BadInput
            If no cell is tagged `parameters`, or the cell has other things than assigned literals.
        """
        tagged = [c for c in self.notebook["cells"] if "parameters" in c.get("metadata", {}).get("tags", ())]
        if not tagged:
            raise BadInput(
                f"template {self.name} ({self.path}) has no cell tagged `parameters`: tag the cell with its "
                'defaults (JupyterLab: Property Inspector, Cell Tags), such as `symbols: str = "AAPL"`'
            )
        return declared(_source(tagged[0]), f"template {self.name}")

    @property
    def description(self) -> str:
        """The first heading."""
        for cell in self.notebook["cells"]:
            if cell["cell_type"] == "markdown":
                lines = [line for line in _source(cell).splitlines() if line.strip()]
                return lines[0].lstrip("# ").strip() if lines else ""
        return ""

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return every parameter's value: given and converted, or its default.

        Raises
        ------
        UnknownName
            For a name that is not declared.
        BadParameter
            For a value of another type.
        """
        for name in given:
            if name not in self.parameters:
                raise UnknownName(
                    "parameter", name, self.parameters, f"See `tapebook templates {self.name}`."
                )
        return {
            name: parameter.read(given[name]) if name in given else parameter.default
            for name, parameter in self.parameters.items()
        }


def find(config: Config, name: str) -> Template:
    """Find a template by its name in notebooks/templates, or by a path to a notebook.

    Raises
    ------
    UnknownName
        With the nearest name.
    """
    asked = Path(name).expanduser()
    if asked.suffix == ".ipynb":
        for path in (asked, config.home / asked, _folder(config) / asked):
            if path.is_file():
                return Template(path.stem, path.resolve())
    elif (path := _folder(config) / f"{name}.ipynb").is_file() and asked.name == name:
        return Template(name, path)
    raise UnknownName("template", name, names(config), f"They are notebooks in {_folder(config)}.")


def listing(config: Config) -> pd.DataFrame:
    """List the templates: name, description, parameters."""
    import pandas as pd

    rows = [
        {"name": t.name, "description": t.description, "parameters": ", ".join(t.parameters)}
        for t in (find(config, name) for name in names(config))
    ]
    return pd.DataFrame(rows, columns=["name", "description", "parameters"])


def describe(config: Config, name: str) -> pd.DataFrame:
    """Describe a template's parameters: name, type, default, help."""
    import pandas as pd

    rows = [
        {"name": p.name, "type": p.type, "default": p.default, "help": p.help}
        for p in find(config, name).parameters.values()
    ]
    return pd.DataFrame(rows, columns=["name", "type", "default", "help"])


def check(config: Config, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter of the template, checked and converted; see `Template.check`."""
    return find(config, name).check(given)


def _folder(config: Config) -> Path:
    return config.notebooks / "templates"


def names(config: Config) -> list[str]:
    """Return the names of the templates, sorted."""
    return sorted(path.stem for path in _folder(config).glob("*.ipynb"))


def _source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)
