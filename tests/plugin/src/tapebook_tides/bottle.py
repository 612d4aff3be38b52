"""A stranger's documentation tool: messages in bottles, one line each in a file."""

import json
from pathlib import Path

from tapebook.integration.documents import Gone, Remote


class Bottle:
    """Messages in a file, for whoever finds it."""

    kind, rate = "bottle", 1000.0

    def __init__(self, to: str, token: str = "") -> None:
        self.file, self.token = Path(to), token

    def attach(self, outside):
        self.outside = outside

    def exists(self, id):
        return id in self._all()

    def find(self, document):
        return document.marker if document.marker in self._all() else None

    def create(self, document):
        return self._put(document.marker, document)

    def update(self, id, document):
        if not self.exists(id):
            raise Gone(f"{id} has sunk")
        return self._put(id, document)

    def delete(self, id):
        self.file.write_text(json.dumps({k: v for k, v in self._all().items() if k != id}))

    def _all(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def _put(self, id, document):
        signed = self.outside.credential(self.token)[-2:] if self.token else ""
        self.file.write_text(json.dumps(self._all() | {id: f"{document.title} {signed}"}))
        return Remote(id, self.file.as_uri())
