"""The vault: what is stored, who can read it, and what happens to what was changed behind its back."""

import copy
import json
import logging
import os
import pickle
import stat
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from tapebook import redact
from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.errors import BadInput, BadParameter, ConfigError, TapebookError, UnknownName
from tapebook.integration import vault_key
from tapebook.integration.vault import Secret, Vault, refuse_values, reveal
from tapebook.integration.vault_seal import seal, unseal

VALUE = "pk-Zq7!x&<\"'\\ü-0123456789"


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """No key of this machine's environment, and nothing hidden that another test would miss."""
    for name in vault_key.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(redact, "_spellings", set())
    monkeypatch.setattr(redact, "_pattern", None)


@pytest.fixture(params=["sqlite", "postgres"])
def config(request, tmp_path):
    if request.param == "sqlite":
        return Config.load(tmp_path)
    return replace(Config.load(tmp_path), database=request.getfixturevalue("postgres_url"))


@pytest.fixture
def catalog(config):
    catalog = Catalog.open(config)
    yield catalog
    catalog.close()


@pytest.fixture
def vault(config, catalog):
    return Vault.of(config, catalog)


def row(catalog, name="alpaca"):
    return dict(catalog.secrets.get(name)._mapping)


def change(catalog, statement, **values):
    with catalog._rows.writing() as connection:
        connection.execute(text(statement), values)


def test_a_secret_comes_back_by_its_name_or_its_reference(vault, config):
    assert vault.put("alpaca", VALUE) == 1
    assert vault.get("alpaca").reveal() == vault.get("secret:alpaca").reveal() == VALUE
    assert reveal(config, "secret:alpaca") == VALUE
    assert reveal(config, "https://plain") == "https://plain"
    assert vault.put("alpaca", VALUE + "2") == 2
    assert vault.get("alpaca").reveal() == VALUE + "2"
    (listed,) = vault.rows()
    assert (listed["name"], listed["version"], listed["value"]) == ("alpaca", 2, redact.MASK)
    vault.delete("alpaca")
    with pytest.raises(UnknownName, match="no secret named 'alpaca'"):
        vault.get("alpaca")


def test_the_same_value_is_never_sealed_the_same_way_twice(vault, catalog):
    sealed = set()
    for name in ("a", "b", "a"):
        vault.put(name, VALUE)
        sealed.add(bytes(row(catalog, name)["sealed"]))
    assert len(sealed) == 3
    assert not any(VALUE.encode() in one for one in sealed)


def test_unknown_and_bad_names_and_values_are_refused_without_repeating_the_value(vault):
    vault.put("alpaca", VALUE)
    with pytest.raises(UnknownName, match="no secret named 'alpac'. Did you mean 'alpaca'"):
        vault.get("alpac")
    for name in ("", "a b", "../x", "secret:", "x" * 81):
        with pytest.raises(BadParameter, match="letters, digits"):
            vault.put(name, VALUE)
    for value in ("", "qwert", "x" * 70_000):
        with pytest.raises(
            BadInput, match="'other' cannot be stored: expected a text of 6 to 65,536"
        ) as caught:
            vault.put("other", value)
        assert not value or value not in str(caught.value)


SAID = {"id": "alpaca", "version": 1, "created": "2026-01-02", "updated": "2026-01-03", "who": "ann"}


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(position, flip):
    key = bytes(range(32))
    sealed, key_id = seal(key, SAID, VALUE)
    changed = bytearray(sealed)
    changed[position % len(changed)] ^= flip
    stored = SAID | {"key_id": key_id}
    assert unseal(stored | {"sealed": sealed}, [key], "here") == VALUE
    with pytest.raises(TapebookError, match="secret 'alpaca' was changed in the database"):
        unseal(stored | {"sealed": bytes(changed)}, [key], "here")


@pytest.mark.parametrize(
    "changed", [{"id": "other"}, {"version": 2}, {"sealed": b""}, {"sealed": b"x" * 11}, {"who": "bob"}]
)
def test_a_ciphertext_belongs_to_its_name_and_version(changed):
    key = os.urandom(32)
    sealed, key_id = seal(key, SAID, VALUE)
    stored = SAID | {"key_id": key_id, "sealed": sealed} | changed
    with pytest.raises(TapebookError, match="was changed in the database"):
        unseal(stored, [key], "here")


def test_what_was_sealed_before_who_and_when_were_bound_is_read_and_bound_by_a_rotation(vault, catalog):
    vault.put("alpaca", VALUE)
    (key,), nonce = vault._place.keys(), os.urandom(12)
    bound = f"tapebook secret\0alpaca\x001\0{vault_key.identity(key)}".encode()
    earlier = nonce + AESGCM(key).encrypt(nonce, VALUE.encode(), bound)
    change(catalog, "UPDATE secrets SET sealed = :sealed", sealed=earlier)
    assert vault.get("alpaca").reveal() == VALUE
    assert vault.rotate() == 1
    assert vault.get("alpaca").reveal() == VALUE
    change(catalog, "UPDATE secrets SET who = 'mallory'")
    with pytest.raises(TapebookError, match="secret 'alpaca' was changed in the database"):
        vault.get("alpaca")


def test_swapped_rows_are_noticed_in_the_database_too(vault, catalog):
    vault.put("a", VALUE)
    vault.put("b", "another-value")
    first = bytes(row(catalog, "a")["sealed"])
    change(catalog, "UPDATE secrets SET sealed = :sealed WHERE id = 'b'", sealed=first)
    with pytest.raises(TapebookError, match="secret 'b' was changed"):
        vault.get("b")
    assert vault.get("a").reveal() == VALUE
    with pytest.raises(TapebookError, match="secret 'b' was changed"):
        vault.rotate()
    assert vault.get("a").reveal() == VALUE, "a rotation that fails changes nothing"


def test_the_key_file_is_the_owners_and_wider_rights_are_refused(vault, config):
    vault.put("alpaca", VALUE)
    path = config.home / vault_key.BESIDE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"others may read the key file .*\(mode 640\): chmod 600"):
        vault.get("alpaca")


def test_keys_come_from_the_environment_or_a_named_file(config, catalog, tmp_path, monkeypatch):
    key = vault_key.generate()
    monkeypatch.setenv("TAPEBOOK_KEY", key)
    Vault.of(config, catalog).put("alpaca", VALUE)
    assert not (config.home / vault_key.BESIDE).exists()
    file = tmp_path / "key"
    file.write_text(vault_key.parsed(key, "here").hex() + "\n")
    file.chmod(0o600)
    monkeypatch.delenv("TAPEBOOK_KEY")
    monkeypatch.setenv("TAPEBOOK_KEY_FILE", str(file))
    assert Vault.of(config, catalog).get("alpaca").reveal() == VALUE
    monkeypatch.setenv("TAPEBOOK_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match="sealed with key .* has none: give the right key in TAPEBOOK_KEY"):
        Vault.of(config, catalog).get("alpaca")
    monkeypatch.delenv("TAPEBOOK_KEY_FILE")
    with pytest.raises(ConfigError, match="sealed with key"):
        Vault.of(config, catalog).put("new", VALUE)
    assert not (config.home / vault_key.BESIDE).exists(), "no second key beside a sealed desk"


@pytest.mark.parametrize("said", ["hunter2", "A" * 42, "!" * 44, "00" * 31])
def test_a_key_that_is_none_is_refused_and_not_repeated(config, catalog, monkeypatch, said):
    monkeypatch.setenv("TAPEBOOK_KEY", said)
    with pytest.raises(ConfigError, match="TAPEBOOK_KEY holds no key: expected 32 bytes") as caught:
        Vault.of(config, catalog).put("alpaca", VALUE)
    assert said not in str(caught.value)


def test_a_rotation_seals_all_with_a_new_key(vault, catalog, config):
    values = {f"s{i}": f"{VALUE}{i}" for i in range(5)}
    for name, value in values.items():
        vault.put(name, value)
    before, key = row(catalog, "s0"), (config.home / vault_key.BESIDE).read_text()
    assert vault.rotate() == 5
    after = row(catalog, "s0")
    assert (config.home / vault_key.BESIDE).read_text() != key
    assert before["key_id"] != after["key_id"]
    assert before["version"] == after["version"]
    assert {name: vault.get(name).reveal() for name in values} == values
    assert vault.put("s0", VALUE) == 2
    assert sorted(p.name for p in (config.home / "data").glob("secrets.key*")) == [
        "secrets.key",
        "secrets.key.lock",
    ]


@pytest.mark.parametrize("stops_at", ["reseal", "settle"])
def test_a_rotation_that_stops_half_way_loses_nothing(vault, config, catalog, monkeypatch, stops_at):
    vault.put("alpaca", VALUE)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(
            *((type(catalog.secrets), "reseal") if stops_at == "reseal" else (vault_key.InFile, "settle")),
            stop,
        )
        with pytest.raises(KeyboardInterrupt):
            vault.rotate()
    again = Vault.of(config, catalog)
    assert again.get("alpaca").reveal() == VALUE
    again.put("second", VALUE + "2")
    assert again.rotate() == 2
    assert {s.name: s.reveal() for s in again.open_all()} == {"alpaca": VALUE, "second": VALUE + "2"}
    assert not (config.home / (vault_key.BESIDE + ".new")).exists()


KILLED = """
import os, sys
from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.data.catalog.secrets import Secrets
from tapebook.integration import vault_key
from tapebook.integration.vault import Vault

def die(*_):
    os.kill(os.getpid(), 9)

config = Config.load(sys.argv[1])
vault = Vault.of(config, Catalog.open(config))
if sys.argv[2] == "in the middle":
    before, seen = Secrets.reseal, []
    def again(say, row):
        seen.append(row)
        return die() if len(seen) > 2 else say(row)
    Secrets.reseal = lambda self, say: before(self, lambda row: again(say, row))
else:
    vault_key.InFile.settle = die
vault.rotate()
"""


@pytest.mark.parametrize("when", ["in the middle", "at the end"])
def test_a_rotation_that_is_killed_leaves_all_readable(tmp_path, when):
    config = Config.load(tmp_path)
    values = {f"s{i}": f"{VALUE}{i}" for i in range(4)}
    catalog = Catalog.open(config)
    for name, value in values.items():
        Vault.of(config, catalog).put(name, value)
    catalog.close()
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), when]).returncode == -9
    catalog = Catalog.open(config)
    vault = Vault.of(config, catalog)
    assert {s.name: s.reveal() for s in vault.open_all()} == values
    assert len({row["key_id"] for row in catalog.secrets.list()}) == 1, "all or none"
    vault.put("new", VALUE)
    assert vault.rotate() == 5
    assert {s.name: s.reveal() for s in vault.open_all()} == values | {"new": VALUE}
    catalog.close()


@pytest.mark.parametrize("column", ["id", "version", "sealed", "key_id", "created", "updated", "who"])
def test_one_changed_byte_in_any_column_of_a_row_is_noticed(vault, catalog, column):
    vault.put("alpaca", VALUE)
    vault.put("stays", VALUE + "2")
    told = row(catalog)[column]
    if column == "sealed":
        changed = bytes([told[0] ^ 1]) + told[1:]
    else:
        changed = told + 1 if column == "version" else ("b" if told[0] == "a" else "a") + told[1:]
    change(catalog, f"UPDATE secrets SET {column} = :changed WHERE id = 'alpaca'", changed=changed)
    with pytest.raises(TapebookError, match="was changed in the database|sealed with key"):
        vault.get(changed if column == "id" else "alpaca")
    with pytest.raises(TapebookError, match="was changed in the database|sealed with key"):
        vault.rotate()
    assert vault.get("stays").reveal() == VALUE + "2"


def test_a_key_of_the_environment_is_rotated_by_showing_the_next(config, catalog, monkeypatch):
    monkeypatch.setenv("TAPEBOOK_KEY", vault_key.generate())
    vault = Vault.of(config, catalog)
    vault.put("alpaca", VALUE)
    with pytest.raises(ConfigError, match="into TAPEBOOK_NEW_KEY, rotate, and then let TAPEBOOK_KEY"):
        vault.rotate()
    new = vault_key.generate()
    monkeypatch.setenv("TAPEBOOK_NEW_KEY", new)
    assert vault.rotate() == 1
    assert vault.get("alpaca").reveal() == VALUE
    monkeypatch.setenv("TAPEBOOK_KEY", new)
    monkeypatch.delenv("TAPEBOOK_NEW_KEY")
    assert vault.get("alpaca").reveal() == VALUE


def test_the_systems_keyring_can_hold_it(config, catalog, monkeypatch):
    keyring = pytest.importorskip("keyring")
    held = {}
    monkeypatch.setattr(keyring, "get_password", lambda *entry: held.get(entry))
    monkeypatch.setattr(keyring, "set_password", lambda *said: held.update({said[:2]: said[2]}))
    monkeypatch.setattr(keyring, "delete_password", lambda *entry: held.pop(entry))
    monkeypatch.setenv("TAPEBOOK_KEY", "keyring")
    vault = Vault.of(config, catalog)
    vault.put("alpaca", VALUE)
    (first,) = held.values()
    vault.rotate()
    assert list(held) == [("tapebook", str(config.home))]
    assert first not in held.values()
    assert vault.get("alpaca").reveal() == VALUE


def test_writers_and_a_rotation_at_once_leave_all_readable(config, catalog):
    Vault.of(config, catalog).put("first", VALUE)

    def write(number):
        mine = Catalog.open(config)
        for i in range(4):
            Vault.of(config, mine).put(f"w{number}-{i}", f"{VALUE}{i}")
            if number == 0:
                Vault.of(config, mine).rotate()
        mine.close()

    threads = [threading.Thread(target=write, args=[n]) for n in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    opened = Vault.of(config, catalog).open_all()
    assert len(opened) == 13 == len(catalog.secrets.list())


def test_a_secret_shows_itself_only_when_asked():
    secret = Secret("alpaca", VALUE)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        f"{secret!r}",
        repr([secret]),
    ]
    assert not any(VALUE in one or VALUE[:6] in one for one in shown)
    assert secret.masked == redact.MASK + "6789"
    assert Secret("short", "hunter2").masked == redact.MASK
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    assert secret == Secret("other", VALUE)
    assert secret != VALUE
    with pytest.raises(TypeError, match="secret 'alpaca' is not written anywhere: hand over its name"):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert not hasattr(secret, "__dict__")


def test_parameters_hold_names_and_never_values(vault, config):
    refuse_values(config, {"token": VALUE})  # nobody knows it
    vault.put("alpaca", VALUE)
    refuse_values(config, {"token": "secret:alpaca", "fast": 10, "names": ["a", "b"], "none": None})
    for held in (VALUE, f"Bearer {VALUE}", ["x", VALUE], {"a": {"b": VALUE}}, vault.get("alpaca")):
        with pytest.raises(BadParameter, match="'token'.* the name of one: secret:alpaca") as caught:
            refuse_values(config, {"token": held})
        assert VALUE not in str(caught.value)
    with pytest.raises(UnknownName, match="no secret named 'alpac'. Did you mean 'alpaca'"):
        refuse_values(config, {"token": "secret:alpac"})


@given(st.text(st.characters(codec="utf-8"), min_size=6, max_size=40))
def test_every_spelling_is_found(value):
    from base64 import b64encode
    from html import escape
    from urllib.parse import quote, urlencode

    redact._spellings.clear()
    redact.hide(value)
    spelled = [value, json.dumps({"a": value}), repr(value), escape(value), quote(value, safe="")]
    spelled += [urlencode({"k": value}), b64encode(value.encode()).decode()]
    assert not any(redact.holds(redact.scrub(f"<{one}>")) for one in spelled)
    assert value not in redact.scrub(f"« {value} »")


def test_errors_logs_and_rows_do_not_say_it(catalog, vault, caplog):
    vault.put("alpaca", VALUE)
    assert VALUE not in str(BadInput(f"the server said: bad key {VALUE}"))
    log = logging.getLogger("some.library")
    with caplog.at_level(logging.INFO):
        log.info("GET /?key=%s", VALUE)
        try:
            raise ValueError(f"refused {VALUE}")
        except ValueError:
            log.exception("it failed with %s", {"key": VALUE})
    said = "".join(logging.Formatter("%(message)s").format(record) for record in caplog.records)
    assert "GET /?key=••••••" in said
    assert "ValueError: refused ••••••" in said
    assert VALUE not in said + caplog.text
    catalog.runs.add(
        {"id": "r", "template": "t", "template_hash": "h", "parameters": {"a": [VALUE]}, "symbols": [VALUE]}
        | {"outcome": "failed", "started": "2026", "error": f"ValueError: {VALUE}"}
    )
    assert VALUE not in json.dumps(catalog.runs.list(), ensure_ascii=False)
    assert catalog.runs.get("r").error == "ValueError: ••••••"
