"""Findings at tools that the network leads to: each on this machine, in its own format, with its faults."""

import json
import subprocess
import time
from contextlib import nullcontext
from dataclasses import replace

import pytest

from contracts.documents import TOKEN, TargetContract, WebContract
from integration.findings import Tool, document, drip, hang
from tapebook.errors import BadParameter
from tapebook.integration import deadline
from tapebook.integration.documents.document import Table
from tapebook.integration.documents.github import fitting
from tapebook.integration.documents.github_wiki import Wiki
from tapebook.integration.outside import Unavailable


class TestWebhook(WebContract):
    kind, creates, finds = "webhook", ("POST", "/"), False

    def tool(self, tmp_path):
        self.kept = {}
        self.web = Tool(self.answer)
        return self.web

    def options(self):
        return {"to": self.web.url, "token": "secret:tool"}

    def answer(self, method, path, query, body, headers):
        assert headers["authorization"] == f"Bearer {TOKEN}"
        said = json.loads(body)
        if said["action"] == "delete":
            self.kept = {k: v for k, v in self.kept.items() if v["id"] != said["id"]}
            return {}
        assert headers["idempotency-key"].startswith(said["marker"])
        if said["id"] and said["key"] not in self.kept:
            return 404, {}, "{}"
        self.kept[said["key"]] = said | {"id": f"page-{said['key']}"}
        return {"id": f"page-{said['key']}", "url": "https://example.com/1"}

    def pages(self):
        return [page["markdown"] for page in self.kept.values()]

    def forget(self):
        self.kept.clear()
        self.desk.catalog.documents.put("there", "apple", digest="")  # a webhook cannot be asked

    def test_figures_are_in_it(self):
        self.publish()
        assert [figure["type"] for figure in self.kept["apple"]["figures"]] == ["image/png", "image/svg+xml"]


class TestIssue(WebContract):
    kind, creates = "github-issue", ("POST", "/issues")

    def tool(self, tmp_path):
        self.issues = {}
        self.web = Tool(self.answer)
        return self.web

    def options(self):
        return {"to": "me/notes", "token": "secret:tool", "api": self.web.url}

    def answer(self, method, path, query, body, headers):
        assert TOKEN in headers["authorization"]
        base, _, number = path.partition("/repos/me/notes/issues")
        number = number.strip("/")
        if method == "POST":
            number = str(len(self.issues) + 1)
            self.issues[number] = {"number": int(number), "state": "open"} | json.loads(body)
        elif not number:
            assert query["labels"] == "tapebook"
            return list(self.issues.values()) if query["page"] == "1" else []
        elif number not in self.issues:
            return 410, {}, '{"message": "This issue was deleted"}'
        elif method == "PATCH":
            self.issues[number] |= json.loads(body)
        return self.issues[number]

    def pages(self):
        return [issue["body"] for issue in self.issues.values() if "<!-- tapebook" in issue["body"]]

    def forget(self):
        self.issues.clear()

    def test_a_repository_is_named_in_full(self):
        with pytest.raises(BadParameter, match="owner/repository"):
            self.desk.documents.add("x", "github-issue", to="notes", token="secret:tool")
        with pytest.raises(BadParameter, match="never kept as it is") as caught:
            self.desk.documents.add("x", "github-issue", to="me/notes", token="ghp_plain-token")
        assert "ghp_plain" not in str(caught.value)


class TestGist(WebContract):
    kind, creates = "github-gist", ("POST", "/gists")

    def tool(self, tmp_path):
        self.gists = {}
        self.web = Tool(self.answer)
        return self.web

    def options(self):
        return {"token": "secret:tool", "api": self.web.url}

    def answer(self, method, path, query, body, headers):
        id = path.removeprefix("/gists").strip("/")
        if method == "POST":
            id = f"g{len(self.gists)}"
            self.gists[id] = {"id": id, "html_url": f"https://gist.github.com/{id}"} | json.loads(body)
        elif not id:
            return list(self.gists.values()) if query["page"] == "1" else []
        elif id not in self.gists:
            return 404, {}, '{"message": "Not Found"}'
        elif method == "PATCH":
            said = json.loads(body)
            files = self.gists[id]["files"] | said["files"]
            said["files"] = {name: file for name, file in files.items() if file}
            self.gists[id] |= said
        elif method == "DELETE":
            del self.gists[id]
            return 204, {}, b""
        return self.gists[id]

    def pages(self):
        return [
            file["content"] for gist in self.gists.values() for n, file in gist["files"].items() if ".md" in n
        ]

    def forget(self):
        self.gists.clear()

    def test_it_is_secret_and_has_the_svg(self):
        self.publish()
        assert self.gists["g0"]["public"] is False
        assert set(self.gists["g0"]["files"]) == {"apple.md", "small.svg"}


class TestWiki(TargetContract):
    kind = "github-wiki"

    def tool(self, tmp_path):
        self.bare, self.work = tmp_path / "notes.wiki.git", tmp_path / "work"
        self.git("init", "--quiet", "--bare", "--initial-branch=master", str(self.bare))
        self.git("clone", "--quiet", str(self.bare), str(self.work))
        self.write("Home.md")
        return nullcontext()

    def git(self, *command):
        done = subprocess.run(["git", *command], check=True, capture_output=True, text=True)
        return done.stdout

    def write(self, name):
        (self.work / name).write_text("welcome")
        who = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
        self.git("-C", str(self.work), "add", "--all")
        self.git("-C", str(self.work), *who, "commit", "--quiet", "--allow-empty", "-m", "mine")
        self.git("-C", str(self.work), "push", "--quiet", "origin", "HEAD:master")

    def options(self):
        return {"to": str(self.bare), "token": "secret:tool"}

    def names(self):
        return self.git("-C", str(self.bare), "ls-tree", "-r", "--name-only", "master").split()

    def pages(self):
        kept = [name for name in self.names() if name.endswith(".md") and name != "Home.md"]
        return [self.git("-C", str(self.bare), "show", f"master:{name}") for name in kept]

    def forget(self):
        self.git("-C", str(self.work), "pull", "--quiet", "origin", "master")
        (self.work / "apple.md").unlink()
        self.write("Home.md")

    def test_figures_are_committed(self):
        self.publish()
        assert {"figures/apple/tear-sheet.png", "figures/apple/small.svg"} <= set(self.names())
        assert TOKEN not in self.git("-C", str(self.bare), "log", "-p")


def test_a_wiki_that_never_ends_its_answer_is_given_up_with_all_of_git(monkeypatch):
    monkeypatch.setattr(deadline, "LONGEST", 1.0)
    begun = time.monotonic()
    with Tool(None) as web:
        web.faults += [hang, drip]
        for _ in range(2):
            with pytest.raises(Unavailable, match="git clone of the wiki took longer than 1 s"):
                Wiki(f"{web.url}/notes.wiki.git").exists("Home.md")
        assert not web.faults
        listed = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
        assert web.url not in listed, "no helper of git's goes on"
    assert time.monotonic() - begun < 60


def test_an_issue_that_is_too_long_loses_its_longest_tables():
    table = Table(("a",), tuple((f"row {n}" * 20,) for n in range(900)))
    long = replace(document(), blocks=(*document().blocks, table))
    text = fitting(long, 65_000)
    assert len(text) < 65_000
    assert "too long for here" in text
    assert "3.14" in text
