"""Templates: found, described, and their parameters checked before anything starts."""

import json
import subprocess
import sys

import pytest

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.runs import template
from tapebook.runs.parameters import declared


def test_listing_and_description(config):
    (config.notebooks / "templates" / "untagged.ipynb").unlink()
    frame = template.listing(config)
    assert list(frame["name"]) == ["state", "toy", "trouble"]
    assert frame["description"][1] == "A toy report"
    assert frame["parameters"][1].startswith("steps, scale")
    described = template.describe(config, "toy").set_index("name")
    assert described.loc["steps", "type"] == "int"
    assert described.loc["steps", "default"] == 50
    assert described.loc["steps", "help"] == "steps of the walk"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"steps": 50, "scale": 1.0, "loud": False, "symbols": "AAPL", "labels": [], "limit": None}),
        ({"steps": "10"}, {"steps": 10}),
        ({"steps": 10.0}, {"steps": 10}),
        ({"scale": "0.5"}, {"scale": 0.5}),
        ({"scale": 2}, {"scale": 2.0}),
        ({"loud": "true"}, {"loud": True}),
        ({"loud": "No"}, {"loud": False}),
        ({"symbols": "AAPL,MSFT"}, {"symbols": "AAPL,MSFT"}),
        ({"symbols": ["AAPL", "MSFT"]}, {"symbols": "AAPL,MSFT"}),
        ({"labels": "a, b"}, {"labels": ["a", "b"]}),
        ({"labels": '["a", "b,c"]'}, {"labels": ["a", "b,c"]}),
        ({"labels": ("a",)}, {"labels": ["a"]}),
        ({"labels": ""}, {"labels": []}),
        ({"limit": "none"}, {"limit": None}),
        ({"limit": "7"}, {"limit": 7}),
    ],
)
def test_values_are_read_as_declared(config, given, expected):
    full = template.check(config, "toy", given)
    assert {name: full[name] for name in expected} == expected
    assert all(type(full[name]) is type(value) for name, value in expected.items())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"steps": "ten"},
            r"parameter 'steps' is 'ten': expected a whole number such as 10 \(steps of the walk\)",
        ),
        ({"steps": 1.5}, "a whole number"),
        ({"steps": True}, "a whole number"),
        ({"steps": None}, "a whole number"),
        ({"steps": float("nan")}, "a whole number"),
        ({"scale": "big"}, "a number such as 0.5"),
        ({"loud": "maybe"}, "true or false"),
        ({"loud": 1}, "true or false"),
        ({"symbols": 7}, "expected text"),
        ({"labels": [1]}, "names such as AAPL,MSFT"),
        ({"labels": '["a"'}, "names such as AAPL,MSFT"),
        ({"limit": "x"}, "a whole number such as 10 or none"),
    ],
)
def test_wrong_values_say_what_was_expected(config, given, message):
    with pytest.raises(BadParameter, match=message):
        template.check(config, "toy", given)


def test_an_unknown_name_says_the_near_one(config):
    with pytest.raises(UnknownName, match="no parameter named 'step'. Did you mean 'steps'"):
        template.check(config, "toy", {"step": 1})
    with pytest.raises(UnknownName, match="no template named 'toi'. Did you mean 'toy'"):
        template.check(config, "toi", {})
    with pytest.raises(UnknownName, match="no template"):
        template.check(config, "../templates/toy", {})


def test_a_template_without_parameters_cell_says_how_to_tag_one(config):
    with pytest.raises(BadInput, match="untagged.*no cell tagged `parameters`.*Cell Tags"):
        template.check(config, "untagged", {})


def test_a_path_is_a_template_too(config, tmp_path):
    path = config.notebooks / "templates" / "toy.ipynb"
    assert template.find(config, str(path)).name == "toy"
    assert template.find(config, "nb/templates/toy.ipynb").path == path.resolve()
    (tmp_path / "odd.ipynb").write_text("[]")
    with pytest.raises(BadInput, match="odd.ipynb is not a Jupyter notebook"):
        template.check(config, str(tmp_path / "odd.ipynb"), {})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x: int = 1 +", "line 1: invalid syntax"),
        ("x: int", "expected `name: type = literal`"),
        ("import os", "expected `name: type = literal`"),
        ("a = b = 1", "expected `name: type = literal`"),
        ("x: int = len('a')", "must be a literal"),
        ("x: dict = {}", "the type must be one of str, int"),
        ("x = None", "the type must be one of str, int"),
        ("x: int = 'a'", "parameter 'x' is 'a': expected a whole number"),
    ],
)
def test_a_cell_that_cannot_be_read_says_where(source, message):
    with pytest.raises((BadInput, BadParameter), match=message):
        declared(source, "template t")


def test_unannotated_names_take_the_type_of_their_default():
    found = declared('"""Words."""\na = 1\nb = ["x"]\nc = -0.5  # half # less', "t")
    assert [p.type for p in found.values()] == ["int", "list[str]", "float"]
    assert found["c"].default == -0.5
    assert found["c"].help == "half # less"


def test_the_hash_sees_sources_and_not_outputs(config):
    path = config.notebooks / "templates" / "toy.ipynb"
    before = template.find(config, "toy").hash
    notebook = json.loads(path.read_text())
    notebook["cells"][2]["execution_count"] = 9
    path.write_text(json.dumps(notebook))
    assert template.find(config, "toy").hash == before
    notebook["cells"][2]["source"] = "pass"
    path.write_text(json.dumps(notebook))
    assert template.find(config, "toy").hash != before


def test_importing_runs_is_light():
    heavy = "{'papermill', 'pandas', 'nbformat', 'sqlalchemy', 'numpy', 'plotly'}"
    code = f"import sys, tapebook.runs, tapebook.runs.template; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
