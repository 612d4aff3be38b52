"""The walk-forward page: what each fold chose before, and what that did after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapebook.dashboards import figures, look, parts
from tapebook.dashboards.apology import guarded
from tapebook.dashboards.asked import Address, asked_record
from tapebook.dashboards.run_page import charts, foot

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config

_DATES = ("train_start", "train_end", "test_start", "test_end")


@guarded
def walk_forward_page(config: Config) -> ipywidgets.Widget:
    """Return the page of a walk forward."""
    import ipywidgets as w

    record = asked_record(config, "walk_forward")
    if record is None:
        return parts.missing("There is no walk forward yet: <code>tapebook run walk_forward</code>.")
    pieces: list[Any] = [w.HTML(look.style() + parts.head(record)), address := Address()]
    names = sorted(record.names("figures"), key=lambda n: n != "walk_forward")
    pieces += [charts(record, names, address)] if names else []
    folds = parts.rows(record, "folds")
    pieces += [_folds(folds, address)] if folds else []
    return w.VBox([*pieces, *foot(record)])


def _folds(folds: list[dict[str, Any]], address: Address) -> Any:
    """Inside against outside for each fold, and one fold in full."""
    import ipywidgets as w

    pairs = [n.removeprefix("inside_") for n in folds[0] if n.startswith("inside_")]
    figure = address.keep("measure", parts.choice("figure", [(n.replace("_", " "), n) for n in pairs]))
    fold = address.keep("fold", parts.slider("fold", [(str(i + 1), i) for i in range(len(folds))], 0))
    chart, told = figures.widget(_bars(folds, figure.value, 0)), w.HTML()

    def show(_: Any = None) -> None:
        chart.show(_bars(folds, figure.value, fold.value))
        told.value = look.page(_fold(folds[fold.value], fold.value))

    for control in (figure, fold):
        control.observe(show, "value")
    show()
    said = "Chosen on the bars before (inside), traded on the next (outside)."
    words = f"<h2>Inside and outside</h2><p class='muted'>{said}</p>"
    return w.VBox([parts.html(words), parts.controls(figure, fold), parts.boxed(chart), told])


def _bars(folds: list[dict[str, Any]], figure: str, chosen: int) -> dict[str, Any]:
    x = [f"{i + 1}: {str(f.get('test_start'))[:10]}" for i, f in enumerate(folds)]
    data = [
        {
            "type": "bar",
            "name": f"{side} the fold",
            "x": x,
            "y": [f.get(f"{side}_{figure}") for f in folds],
            "marker": {
                "opacity": [1.0 if i == chosen else 0.55 for i in range(len(folds))],
                "pattern": {"shape": shape},
            },
        }
        for side, shape in (("inside", "/"), ("outside", ""))
    ]
    layout = {
        "title": {"text": f"{figure.replace('_', ' ')} of each fold"},
        "barmode": "group",
        "height": 380,
        "xaxis": {"type": "category", "title": {"text": "fold: first day traded"}},
        "yaxis": {"title": {"text": figure.replace("_", " ")}},
    }
    return {"data": data, "layout": layout}


def _fold(fold: dict[str, Any], number: int) -> str:
    chosen = [
        (name, look.plain(value))
        for name, value in fold.items()
        if name not in _DATES and not name.startswith(("inside_", "outside_"))
    ]
    train, test = (
        f"{look.plain(fold.get(f'{kind}_start'))} to {look.plain(fold.get(f'{kind}_end'))}"
        for kind in ("train", "test")
    )
    return f"<p>Fold {number + 1}: chosen on {train}, traded on {test}, with</p>{look.cards(chosen)}"
