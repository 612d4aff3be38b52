"""A planted credential, templates that are careless with it, and a search of all that the desk wrote."""

import json
import logging
import os
import subprocess
import sys
from base64 import b64encode
from functools import partial
from urllib.parse import quote

import pandas as pd
import pytest
from click.testing import CliRunner

from integration.findings import Tool, run_folder
from tapebook import Desk, redact
from tapebook.cli import main
from tapebook.data.catalog.event_types import IntegrationFailed
from tapebook.data.catalog.events import Patience
from tapebook.errors import BadParameter, RunFailed, TapebookError, UnknownName
from tapebook.integration.event_webhooks import deliver_all
from tapebook.integration.outside import Outside
from tapebook.integration.vault import reveal
from tapebook.runs import notice

VALUE = "Xq7-planted&<credential>\"'\\ü-0451"
CARELESS = [
    'token: str = "secret:broker"  # by name\nfail: bool = False  # fail at the end',
    "import logging, subprocess, sys\nimport pandas as pd\nimport plotly.graph_objects as go\n"
    "from tapebook import Desk, Recorder\ndesk, record = Desk.open(), Recorder.current()\n"
    "key = desk.secret(token)\nkey",
    "print(key, key.reveal()); print(key.reveal()[:9], end='', flush=True); print(key.reveal()[9:])",
    "key.reveal()",
    "logging.basicConfig(); logging.getLogger('lib').error('GET /?key=%s', key.reveal())",
    "subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv[1])', key.reveal()]);",
    "record.title(f'run with {key.reveal()}'); record.metrics({'n': (1.0, '', key.reveal())})\n"
    "table = pd.DataFrame({'a': [key.reveal(), 'b'], key.reveal(): [1, 2]}, index=['x', key.reveal()])\n"
    "record.table('t', table)\n"
    "record.figure('f', go.Figure(go.Bar(x=[key.reveal()], y=[1])))",
    "open('own.txt', 'w').write(f'key={key.reveal()}')\nprint('used', len(key.reveal()))",
    "if fail:\n    raise ValueError(f'401 for {key.reveal()}')",
]


SPEC = """
name = "acme"
url = "URL/v1/bars/{symbol}"
fields = { ts = "t", close = "c" }
auth = { param = "key", secret = "secret:broker" }
"""


def notebook(sources):
    kinds = [{"tags": ["parameters"]}] + [{}] * (len(sources) - 1)
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": kind, "source": source, "outputs": []}
        | {"execution_count": None}
        for i, (source, kind) in enumerate(zip(sources, kinds, strict=True))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("TAPEBOOK_KEY", "TAPEBOOK_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "desk"
    (home / "notebooks" / "templates").mkdir(parents=True)
    (home / "tapebook.toml").touch()
    (home / "notebooks" / "templates" / "careless.ipynb").write_text(notebook(CARELESS))
    return home


def spellings(value):
    from base64 import b64encode
    from html import escape

    said = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    said |= {escape(value), escape(value, quote=False), b64encode(value.encode()).decode()}
    return [spelling.encode() for spelling in said]


def found(folder, value):
    """Every file below `folder` that holds the value in any spelling, looking into Parquet too."""
    places = []
    for path in folder.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            if path.suffix == ".parquet":
                held += pd.read_parquet(path).to_csv().encode()
            if any(spelling in held for spelling in spellings(value)):
                places.append(path.name)
    return places


def command(home, *words, stdin=None):
    return CliRunner().invoke(main, ["--home", str(home), *words], input=stdin)


def test_nothing_that_the_desk_wrote_holds_a_planted_credential(home):
    assert command(home, "secrets", "set", "broker", stdin=VALUE + "\n").exit_code == 0
    with Desk.open(home) as desk:
        run = desk.run("careless")
        with pytest.raises(RunFailed, match="ValueError: 401 for ••••••") as caught:
            desk.run("careless", fail=True)
        with pytest.raises(BadParameter, match="'token' .* expected no credential, but the name of one"):
            desk.run("careless", token=VALUE)
        with pytest.raises(BadParameter) as mistyped:
            desk.run("careless", fail=VALUE)
        rows = desk.runs()
        assert VALUE not in str(caught.value) + str(mistyped.value) + rows.to_csv()
        failed = desk.load_run(caught.value.run_id)
        assert desk.load_run(run.id).manifest["parameters"] == {"token": "secret:broker", "fail": False}
    printed = run.notebook.read_text()
    assert f"used {len(VALUE)}" in printed, "the cells saw the true value"
    assert "Secret('broker', ••••••)" in printed
    assert failed.manifest["error"]["message"] == "401 for ••••••"
    assert "401 for ••••••" in failed.html.read_text()
    assert run.tables["t"].iloc[0, 0] == "••••••"
    assert (run.folder / "own.txt").read_text() == "key=••••••"
    assert len(rows) == 2, "a refused run leaves none"
    assert found(home, VALUE) == []
    again = "import sys; from tapebook import Desk; print(Desk.open(sys.argv[1]).rerun(sys.argv[2]).outcome)"
    done = subprocess.run([sys.executable, "-c", again, str(home), run.id], capture_output=True, text=True)
    assert done.stdout == "succeeded\n", done.stderr
    assert found(home, VALUE) == [], "a process that never heard of the credential made it again"


ASCII = "Xq7-planted&<credential>\"'%+/-0451"


def echo(method, path, query, body, headers):
    """An integration that says back all that it heard."""
    return (
        401,
        {},
        {"error_message": f"refused: {path} {query} {headers} {body.decode()}", "message": str(headers)},
    )


def test_no_integration_says_a_planted_credential(home, tmp_path, monkeypatch):
    """Sources, documentation tools and webhooks that echo it; searched while all of it is open."""
    calm = classmethod(
        lambda cls, config: cls(tmp_path / "pace", partial(reveal, config), sleep=lambda _: None)
    )
    monkeypatch.setattr(Outside, "of", calm)
    (home / "acme.toml").write_text(SPEC)
    handler = logging.FileHandler(home / "desk.log")
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    said = []
    try:
        with Tool(echo) as tool, Desk.open(home) as desk:
            (home / "acme.toml").write_text(SPEC.replace("URL", tool.url))
            desk.secrets.set("broker", ASCII)
            desk.secrets.set("db", f"postgresql+psycopg://me:{quote(ASCII, safe='')}@127.0.0.1:9/prices")
            keys = {"api_key": "secret:broker"}
            asked = {
                "fred": keys | {"url": tool.url},
                "alpaca": keys | {"secret_key": "secret:broker", "url": tool.url},
                "rest": {"spec": str(home / "acme.toml")},
                "sql": {"url": "secret:db", "table": "prices"},
            }
            for source, options in asked.items():
                try:
                    said.append(str(desk.ingest(source, "ACME", **options)))
                except TapebookError as error:
                    said.append(str(error))
            run_folder(desk.config.reports, "r-1")
            for kind, options in {
                "webhook": {"to": tool.url},
                "confluence": {"to": f"{tool.url}/KEY", "user": "me@example.com"},
                "notion": {"to": "0" * 32, "api": tool.url},
                "github-issue": {"to": "me/mine", "api": tool.url},
                "github-gist": {"api": tool.url},
                "google-docs": {"to": "folder", "api": tool.url},
                "github-wiki": {"to": f"{tool.url}/notes.wiki.git"},
            }.items():
                desk.documents.add(kind, kind, token="secret:broker", **options)
                with pytest.raises(TapebookError) as caught:
                    desk.documents.publish("r-1", kind)
                said.append(str(caught.value))
            desk.subscribe(f"{tool.url}/hook?token={quote(ASCII, safe='')}", ["integration.failed"])
            desk.catalog.events.add(IntegrationFailed(integration="x", what="y", error=f"bad {ASCII}"))
            deliver_all(desk.config, desk.catalog, "me", Patience(tries=1, first=0.0))
            assert not desk.dead_letters().empty
            tell(desk, f"json://me:{quote(ASCII, safe='')}@{tool.url.partition('://')[2]}/notices")
            assert len(desk.documents.list()) == 7
            said += [
                desk.dead_letters().to_csv(),
                desk.subscribers().to_csv(),
                desk.documents.list().to_csv(),
                str(desk.catalog.notices.list()),
                desk.schedules().to_csv() + str(desk.load_schedule("nightly")),
            ]
            said += [str(event.message()) for event in desk.events(None)]
            heard = str(tool.asked)
            assert heard.count("Xq7-planted") > 5, "it was sent"
            for path, who in (("/notes.wiki.git/info/refs", "x-access-token"), ("/notices", "me")):
                sent = [headers["authorization"] for _, at, headers, _ in tool.asked if at == path]
                assert f"Basic {b64encode(f'{who}:{ASCII}'.encode()).decode()}" in sent
            assert found(home, ASCII) == [], "while it is open, write-ahead logs included"
            assert any(home.rglob("*-wal"))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
    assert (home / "desk.log").stat().st_size > 1000
    assert found(home, ASCII) == []
    (home / "said.txt").write_text("\n".join(said))
    assert found(home, ASCII) == []
    assert redact.MASK in "\n".join(said)


def tell(desk, channel):
    """A schedule's run fails, and its notice is not taken."""
    desk.schedule("nightly", "careless", cron="0 7 * * *", notify=channel)
    number = desk.catalog.schedules.due_now("nightly", "now-1")
    held = desk.catalog.occasions.claim("me", 60.0, number)
    row = desk.catalog.schedules.get("nightly")
    told = notice.compose(row, "failure", "nightly failed", f"refused with {ASCII}")
    assert desk.catalog.occasions.end(held, "failed", f"401 for {ASCII}", None, tell=told)
    assert notice.send_all(desk.config, desk.catalog, "me", Patience(tries=1, first=0.0)) == 0
    assert "401" in desk.catalog.notices.list()[0]["error"]


@pytest.mark.slow
def test_plain_papermill_and_an_analysts_notebook_are_kept_clean_too(home, tmp_path):
    with Desk.open(home) as desk:
        desk.secrets.set("broker", VALUE)
    template, target = home / "notebooks" / "templates" / "careless.ipynb", home / "out.ipynb"
    template.write_text(notebook([s for s in CARELESS if "flush" not in s and "subprocess.run" not in s]))
    code = (
        "import sys, papermill as p; p.execute_notebook(*sys.argv[1:3], {'fail': True}, progress_bar=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(template), str(target)],
        capture_output=True,
        text=True,
        cwd=home,
        env=os.environ | {"TAPEBOOK_HOME": str(home)},
    )
    assert "401 for ••••••" in done.stderr
    assert f"used {len(VALUE)}" in target.read_text()
    (home / "own.txt").unlink()  # what a cell writes by itself, outside a run, is its own affair
    assert VALUE not in done.stderr + done.stdout
    assert found(home, VALUE) == []


def test_the_command_line_stores_lists_shows_and_forgets(home):
    assert command(home, "secrets", "list").stderr.startswith("no secrets yet: try `tapebook secrets set")
    done = command(home, "secrets", "set", "broker", stdin=VALUE + "\n")
    assert done.output == "secret:broker stored, version 1\n"
    assert command(home, "secrets", "show", "broker").output == "••••••0451\n"
    (row,) = json.loads(command(home, "secrets", "list", "--json").output)
    assert (row["name"], row["version"], row["value"]) == ("broker", 1, "••••••")
    assert command(home, "secrets", "rotate").output == "1 secrets are sealed with a new key\n"
    assert command(home, "secrets", "show", "secret:broker").output == "••••••0451\n"
    short = command(home, "secrets", "set", "other", stdin="abc")
    assert short.exit_code == 1
    assert "'other' cannot be stored" in short.stderr
    assert command(home, "secrets", "delete", "broker", "-y").exit_code == 0
    gone = command(home, "secrets", "show", "broker")
    assert (gone.exit_code, "no secret named 'broker'" in gone.stderr) == (1, True)
    assert len(command(home, "secrets", "key").output.strip()) == 44
    assert "value" not in [p.name for p in main.commands["secrets"].commands["set"].params], "never argv"


def test_a_desk_hands_out_secrets_by_name(home, monkeypatch):
    with Desk.open(home) as desk:
        monkeypatch.setattr("getpass.getpass", lambda _: VALUE)
        assert desk.secrets.set("broker") == 1
        assert desk.secret("secret:broker").reveal() == desk.secret("broker").reveal() == VALUE
        assert repr(desk.secrets) == "Secrets(broker)"
        assert VALUE not in desk.secrets._repr_html_()
        assert desk.secrets.show("broker").endswith("0451")
        with pytest.raises(UnknownName, match="Did you mean 'broker'"):
            desk.secret("brokr")
        desk.secrets.delete("broker")
        assert desk.secrets.list().empty
