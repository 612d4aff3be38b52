"""Findings in Confluence, which is on this machine here."""

import json
import re
from xml.dom.minidom import parseString

import pytest

from contracts.documents import TOKEN, WebContract
from integration.findings import Tool, document
from tapebook.errors import BadParameter


class TestConfluence(WebContract):
    kind, creates = "confluence", ("POST", "/rest/api/content")

    def tool(self, tmp_path):
        self.held, self.attached, self.race = {}, {}, 0
        self.web = Tool(self.answer)
        return self.web

    def options(self):
        return {"to": f"{self.web.url}/wiki/DESK", "token": "secret:tool"}

    def answer(self, method, path, query, body, headers):
        assert headers["authorization"] == f"Bearer {TOKEN}"
        rest = path.removeprefix("/wiki/rest/api/content").strip("/").split("/")
        here = {id: page for id, page in self.held.items() if page["status"] == "current"}
        if rest == ["search"]:
            (marker,) = re.findall(r'text ~ "(\w+)"', query["cql"])
            return {"results": [p for p in here.values() if marker in p["body"]["storage"]["value"]]}
        if rest == [""]:
            if method == "GET":
                return {"results": [p for p in here.values() if p["title"] == query["title"]]}
            said, id = json.loads(body), str(100 + len(self.held))
            if any(page["title"] == said["title"] for page in here.values()):
                return 400, {}, '{"message": "A page with this title already exists"}'
            assert said["space"] == {"key": "DESK"}
            return self.put(id, said | {"version": {"number": 1}})
        id, *more = rest
        if id not in here:
            return 404, {}, '{"message": "No content found"}'
        if more:
            return self.attach(method, id, more, body)
        if method == "DELETE":
            self.held[id]["status"] = "trashed"
            return 204, {}, b""
        if method == "PUT":
            said = json.loads(body)
            if self.race:
                self.race -= 1
                self.held[id]["version"]["number"] += 1
            if said["version"]["number"] != self.held[id]["version"]["number"] + 1:
                return 409, {}, '{"message": "Version must be incremented"}'
            return self.put(id, said)
        return self.held[id]

    def put(self, id, said):
        text = said["body"]["storage"]["value"]
        parseString(f'<p xmlns:ac="ac" xmlns:ri="ri">{text}</p>')  # as Confluence: XHTML or nothing
        self.held[id] = said | {"id": id, "status": "current"}
        return self.held[id]

    def attach(self, method, id, more, body):
        kept = self.attached.setdefault(id, {})
        if method == "POST":
            (name,) = re.findall(rb'filename="([^"]+)"', body)
            (comment,) = re.findall(rb'name="comment"\r\n\r\n(\w+)', body)
            name = name.decode()
            if more[-1] == "attachment" and name in kept:
                return 400, {}, '{"message": "same file name as an existing attachment"}'
            before = kept.get(name, {"versions": 0})
            kept[name] = {"id": f"att-{name}", "title": name, "versions": before["versions"] + 1}
            kept[name]["metadata"] = {"comment": comment.decode()}
        return {"results": list(kept.values())}

    def pages(self):
        return [p["body"]["storage"]["value"] for p in self.held.values() if p["status"] == "current"]

    def forget(self):
        for page in self.held.values():
            page["status"] = "trashed"

    def test_a_figure_is_attached_once_as_long_as_it_is_the_same(self):
        done = self.publish()
        self.publish(document(words="Second words."))
        assert {n: a["versions"] for n, a in self.attached[done.id].items()} == {
            "tear-sheet.png": 1,
            "small.svg": 1,
        }

    def test_a_version_conflict_is_tried_again(self):
        self.publish()
        self.race = 1
        assert self.publish(document(words="Second words.")).outcome == "updated"
        (page,) = self.pages()
        assert "Second words" in page

    def test_two_pages_of_one_title(self):
        self.publish()
        self.publish(document(key="pear"))
        assert len({page["title"] for page in self.held.values()}) == 2
        self.desk.catalog.documents.forget("there", "pear")
        assert self.publish(document(key="pear", words="Second words.")).outcome == "updated"
        assert len(self.pages()) == 2

    def test_site_and_space_are_needed(self):
        with pytest.raises(BadParameter, match="a space's key"):
            self.desk.documents.add("x", "confluence", to="wiki/DESK", token="secret:tool")
