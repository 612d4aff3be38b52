"""A form of a template's parameters: typed, checked beside each field, and the run that it starts."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tapebook import Desk, Recorder
from tapebook.dashboards import form
from tapebook.errors import BadParameter, UnknownName

TEMPLATES = Path(__file__).parents[1] / "runs" / "templates"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    for name in ("TAPEBOOK_KEY", "TAPEBOOK_KEY_FILE", form.LAB):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(TEMPLATES, tmp_path / "nb" / "templates")
    with Desk.open(tmp_path) as desk:
        desk.config = replace(desk.config, notebooks=tmp_path / "nb")
        yield desk


def control(made, name):
    return made._fields[name].control


def beside(made, name):
    return made._fields[name]._trouble.value


def test_the_fields_are_the_parameters_with_their_defaults(desk):
    from tapebook.runs.start import find_template

    made = desk.form("toy")
    declared = find_template(desk.config, "toy").parameters
    assert list(made._fields) == list(declared)
    assert made.values() == {name: p.default for name, p in declared.items()}
    for name, parameter in declared.items():
        assert control(made, name).description == name
        assert control(made, name).tooltip == parameter.expected
        assert parameter.help in made._view.children[1 + list(declared).index(name)].children[1].value
    assert repr(made).startswith("Form(toy: ")


def test_values_to_begin_with_are_checked(desk):
    assert desk.form("toy", steps=7).values()["steps"] == 7
    with pytest.raises(UnknownName, match="no parameter named 'stepz'. Did you mean 'steps'"):
        desk.form("toy", stepz=7)
    with pytest.raises(BadParameter, match="'steps' is 'many'"):
        desk.form("toy", steps="many")
    with pytest.raises(UnknownName, match="no template named 'toi'"):
        desk.form("toi")


def test_what_is_wrong_stands_beside_its_field_and_nothing_starts(desk):
    made = desk.form("toy")
    control(made, "steps").value = "many"
    assert made.submit() is None
    assert "expected a whole number such as 10" in beside(made, "steps")
    assert "Not started: see the field that is marked." in made._state.value
    assert desk.runs().empty
    assert not made._button.disabled
    control(made, "steps").value = "5"
    assert made.values()["steps"] == 5
    assert beside(made, "steps") == ""


def test_a_click_runs_the_template_and_leads_to_its_page(desk, monkeypatch):
    made = desk.form("toy", steps=4)
    made._button.click()
    assert (made.run.outcome, made.run.manifest["parameters"]["steps"]) == ("succeeded", 4)
    assert made.run.html.as_uri() in made._state.value
    assert (made._bar.value, made._bar.bar_style) == (made._bar.max, "success")
    monkeypatch.setenv(form.LAB, "/base/tapebook/")
    assert f"href='/base/tapebook/reports/{made.run.id}/report.html'" in form._link(made.run)


def test_secrets_are_offered_by_name_and_their_values_are_refused(desk):
    desk.secrets.set("broker", "planted-value-77")
    made = desk.form("toy")
    texts = [name for name, p in made.template.parameters.items() if p.type == "str"]
    assert texts
    assert control(made, texts[0]).options == ("secret:broker",)
    control(made, texts[0]).value = "planted-value-77"
    assert made.submit() is None
    assert "no credential, but the name of one: secret:broker" in beside(made, texts[0])
    assert "planted" not in beside(made, texts[0]) + made._state.value
    control(made, texts[0]).value = "secret:brokr"
    assert made.submit() is None
    assert "Did you mean &#x27;broker&#x27;" in made._state.value
    assert desk.runs().empty


def test_a_run_that_fails_or_is_stopped_is_said_and_the_form_can_be_sent_again(desk, monkeypatch):
    from tapebook.errors import RunFailed

    made = desk.form("toy")
    monkeypatch.setenv(form.LAB, "/tapebook/")

    def fail(*_):
        raise RunFailed("toy-1", "failed", "template toy: failed in cell 3: ValueError: <no>\n  page …")

    monkeypatch.setattr(made, "_start", fail)
    assert made.submit() is None
    assert "failed in cell 3: ValueError: &lt;no&gt;" in made._state.value
    assert "href='/tapebook/reports/toy-1/report.html'" in made._state.value

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(made, "_start", stop)
    assert made.submit() is None
    assert "Cancelled. The form can be sent again." in made._state.value
    assert not made._button.disabled


def test_every_template_that_ships_has_a_form(sample_desk):
    from tapebook.runs import template

    for name in template.names(sample_desk.config):
        made = sample_desk.form(name)
        assert made.values() == made.template.check({}), name
    assert Recorder.current().folder is None
