"""What is published, whatever it is published to: a title and blocks that every tool can show."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

NAME = "tapebook"


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the document's title, which is no block."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Words:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of plain texts."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Cells as a person reads them; `note` says what is left out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure as an image. `source` is a hash of what it was drawn from: the same figure, the same hash."""

    name: str
    title: str
    kind: str
    source: str
    data: bytes = field(repr=False, default=b"")

    @property
    def file(self) -> str:
        """A file's name for it, the same for the same figure of the next run."""
        return f"{self.name.replace(' ', '-')}.{'png' if self.kind == 'image/png' else 'svg'}"


Block = Heading | Words | Points | Table | Picture


@dataclass(frozen=True)
class Document:
    """A run's findings. `key` names the page: whatever is published with the same one is the same page.

    `tags` and `date` are for tools that file pages; `facts` are where the numbers come from (run, snapshot,
    parameters, code), and stand at the foot.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    facts: tuple[tuple[str, str], ...]
    run: str
    date: str = ""
    tags: tuple[str, ...] = ()
    link: str = ""

    @property
    def marker(self) -> str:
        """One word that stands in the page, so that it is found again when all else is lost.

        >>> Document("apple", "Apple", (), (), "r-1").marker
        'tapebook3a7bd3e2360a3d29'
        """
        return NAME + hashlib.sha256(self.key.encode()).hexdigest()[:16]

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The images, in order."""
        return tuple(block for block in self.blocks if isinstance(block, Picture))

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says; of an image what it was drawn from, as pixels differ by machine."""
        said = asdict(self)
        for block in said["blocks"]:
            block.pop("data", None)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
