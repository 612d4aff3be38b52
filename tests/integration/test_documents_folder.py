"""Findings in a folder of Markdown files, and what a run's findings are."""

import json
from contextlib import nullcontext

import pytest
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt

from contracts.documents import TargetContract
from integration.findings import desk_of, document, run_folder
from tapebook.cli import main
from tapebook.errors import BadInput, BadParameter, ConfigError, UnknownName
from tapebook.integration.documents.base import library
from tapebook.integration.documents.document import Picture
from tapebook.integration.documents.markdown import front_matter, markdown, plain
from tapebook.integration.documents.render import render


class TestFolder(TargetContract):
    kind = "folder"

    def tool(self, tmp_path):
        self.vault = tmp_path / "vault"
        self.vault.mkdir()
        return nullcontext()

    def options(self):
        return {"to": str(self.vault)}

    def pages(self):
        return [file.read_text() for file in self.vault.rglob("*.md")]

    def forget(self):
        for file in self.vault.rglob("*.md"):
            file.unlink()

    def test_figures_lie_beside_it_and_go_with_it(self):
        self.publish()
        assert {f.name for f in self.vault.glob("apple.figures/*")} == {"tear-sheet.png", "small.svg"}
        self.desk.documents.delete("there", "apple")
        assert list(self.vault.iterdir()) == []

    def test_a_file_that_a_person_moved_is_found(self):
        self.publish()
        (self.vault / "mine").mkdir()
        (self.vault / "apple.md").rename(self.vault / "mine" / "Äpfel.md")
        assert self.publish(document(words="Second words.")).id == "mine/Äpfel.md"
        assert len(self.pages()) == 1

    def test_somebody_elses_file_is_left_alone(self):
        (self.vault / "apple.md").write_text("mine")
        assert self.publish().id != "apple.md"
        assert (self.vault / "apple.md").read_text() == "mine"


def test_markdown_shows_every_text_as_it_is():
    text = markdown(document(), lambda picture: picture.file)
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert "<h1>Apple &amp; &lt;pears&gt; | *wild*</h1>" in html
    assert "<th>a|b</th>" in html
    assert plain("max_drawdown _x_") == "max_drawdown \\_x\\_"
    assert html.count("<td>") == 4
    assert "x" * 200 in html
    assert "Naïve 数字 &lt;b&gt;" in html
    assert "<code>{&quot;symbols&quot;: &quot;`A`&quot;}</code>" in html
    assert '<img src="tear-sheet.png" alt="tear sheet" />' in html


def test_front_matter_is_yaml():
    said = yaml.safe_load(front_matter(document(title='a: "b" # c')).strip().strip("-"))
    assert said["title"] == 'a: "b" # c'
    assert said["tags"] == ["tapebook", "backtest"]
    assert str(said["date"]) == "2026-11-26"


def test_a_runs_findings(tmp_path):
    folder = run_folder(tmp_path)
    made = render(folder, "toy", browser=False, draw=lambda figure: '<svg class="p"><polyline/></svg>')
    text = markdown(made, lambda picture: picture.file)
    assert "Verdict: weak" in text
    assert "–" in text  # a Sharpe ratio that is not defined, a NaN
    assert "数\\|字" in text
    assert "30 of 40 rows" in text
    facts = dict(made.facts)
    assert facts["commit"] == "c0ffee and files that differ from it"
    assert facts["snapshot of the bars"] == "7"
    assert made.pictures[0].data.startswith(b'<svg class="p" xmlns="http://www.w3.org/2000/svg"')
    assert made.digest == render(folder, "toy", browser=False, draw=lambda _: "<svg><p/></svg>").digest


def test_a_run_that_failed_says_why_and_one_that_runs_is_refused(tmp_path):
    error = {"name": "ValueError", "message": "no bars"}
    failed = render(run_folder(tmp_path, "r-1", outcome="failed", error=error), "x", browser=False)
    assert failed.blocks[0].text == "The run failed. ValueError: no bars"
    with pytest.raises(BadInput, match="still running"):
        render(run_folder(tmp_path, "r-2", outcome="running"), "x")
    with pytest.raises(BadInput, match="holds no run"):
        render(tmp_path / "none", "x")


def test_a_figure_is_a_png_where_a_browser_is(tmp_path, chromium):
    (picture,) = render(run_folder(tmp_path), "x").pictures
    assert isinstance(picture, Picture)
    assert picture.kind == "image/png"
    assert picture.data.startswith(b"\x89PNG")


def test_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("tapebook.integration.documents.picture.BROWSERS", ())
    home = tmp_path / "desk"
    with desk_of(home) as desk:
        run_folder(desk.config.reports)
    (tmp_path / "notes").mkdir()

    def say(*words):
        done = CliRunner().invoke(main, ["--home", str(home), "document", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    say("add", "notes", "folder", "--to", str(tmp_path / "notes"))
    run = "toy-20261126-000000-aaaa"
    assert "would be created" in say("publish", run, "--to", "notes", "--as", "toy", "--dry-run")
    assert not list((tmp_path / "notes").iterdir())
    assert "created" in say("publish", run, "--to", "notes", "--as", "toy")
    assert "unchanged" in say("publish", run, "--to", "notes", "--as", "toy")
    assert json.loads(say("list", "--json"))[0]["run_id"] == run
    assert json.loads(say("targets", "--json"))[0]["name"] == "notes"
    say("delete", "toy", "--to", "notes", "--yes")
    assert not list((tmp_path / "notes").iterdir())
    say("remove", "notes", "--yes")
    assert "folder" in say("kinds")


def test_what_cannot_be_is_refused(tmp_path):
    with desk_of(tmp_path / "desk") as desk:
        with pytest.raises(UnknownName, match="Did you mean 'folder'"):
            desk.documents.add("x", "foldr", to="y")
        with pytest.raises(BadParameter, match="--to"):
            desk.documents.add("x", "folder")
        desk.documents.add("x", "folder", to=str(tmp_path / "none"))
        run_folder(desk.config.reports, "r-1")
        with pytest.raises(UnknownName, match="document add"):
            desk.documents.publish("r-1", "y")
        with pytest.raises(ConfigError, match=r"tapebook\[documents\]"):
            library("no_such_client", "no-such-client")


def test_runs_that_end_are_published_by_the_worker(tmp_path, monkeypatch):
    from tapebook.data.catalog.event_types import RunFinished
    from tapebook.runs.worker import work

    monkeypatch.setattr("tapebook.integration.documents.picture.BROWSERS", ())
    notes = tmp_path / "notes"
    notes.mkdir()
    with desk_of(tmp_path / "desk") as desk:
        desk.documents.add("notes", "folder", to=str(notes))
        desk.documents.follow("notes", template="toy")
        ends = {"toy-1": ("toy", "succeeded"), "toy-2": ("toy", "failed"), "other-1": ("other", "succeeded")}
        for run, (template, outcome) in ends.items():
            run_folder(desk.config.reports, run, template=template, outcome=outcome)
            desk.catalog.events.add(RunFinished(run=run, template=template, outcome=outcome))
        desk.catalog.events.add(RunFinished(run="toy-deleted", template="toy", outcome="succeeded"))
        work(desk.config, once=True)
        (row,) = desk.documents.list().to_dict("records")
        assert (row["run_id"], row["error"]) == ("toy-1", None)
        assert len(list(notes.glob("*.md"))) == 1
        run_folder(desk.config.reports, "toy-3")
        desk.catalog.events.add(RunFinished(run="toy-3", template="toy", outcome="succeeded"))
        work(desk.config, once=True)
        (row,) = desk.documents.list().to_dict("records")
        assert row["run_id"] == "toy-3"  # the same parameters, the same page
        assert len(list(notes.glob("*.md"))) == 1
        assert desk.dead_letters().empty
