"""What README and docs/ teach can be typed: each command is taken by the parser, the README's are run."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tapebook.cli import main
from tapebook.errors import TapebookError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOREVER = ("tapebook dashboards", "tapebook worker")


def blocks(page, *languages):
    """The code blocks of a page that are in one of these languages."""
    return [
        code for name, code in re.findall(r"```(\w+)\n(.*?)```", page.read_text(), re.S) if name in languages
    ]


def typed(page):
    """The command lines of a page: of its blocks, and those with options in its text."""
    lines = [line for code in blocks(page, "sh", "bash") for line in code.splitlines()]
    lines += re.findall(r"`(tapebook [^`\n]+ -[^`\n]+)`", page.read_text())
    return [line for line in lines if line.startswith("tapebook ") and "[" not in line]


def taken(group, words):
    """Parse a command line as click does, down to its last word, and run nothing."""
    context = group.make_context("tapebook", words)
    while isinstance(context.command, click.Group):
        rest = [*getattr(context, "_protected_args", []), *context.args]  # click 9 has them in args
        if not rest:  # a group on its own is named, not typed
            return
        name, command, rest = context.command.resolve_command(context, list(rest))
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_of_a_page_is_taken(page, sample_home, monkeypatch):
    monkeypatch.chdir(sample_home)
    faults = []
    for line in typed(page):
        try:
            taken(main, shlex.split(line, comments=True)[1:])
        except click.exceptions.Exit:  # of --help
            pass
        except (click.ClickException, TapebookError) as error:
            faults.append(f"{line}\n    {error}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.slow
def test_the_readme_can_be_typed_from_top_to_bottom(sample_home, monkeypatch):
    monkeypatch.chdir(sample_home)
    (ten_lines,) = blocks(ROOT / "README.md", "python")
    space = {}
    exec(ten_lines + "\nsame = desk.rerun(run.id).metrics == run.metrics\ndesk.close()", space)  # noqa: S102
    assert space["same"]
    lines = [line for code in blocks(ROOT / "README.md", "sh") for line in code.splitlines()]
    lines = [line for line in lines if line.startswith("tapebook ") and not line.startswith(FOREVER)]
    assert len(lines) > 5
    for line in lines:
        done = CliRunner().invoke(main, shlex.split(line, comments=True)[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}"
