"""The page that explains one move: words, tables and figures in one file that needs nothing else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from tapebook.theme import css

if TYPE_CHECKING:
    from tapebook.market.explanation.analogues import Analogues
    from tapebook.market.explanation.explain import Explanation

_STYLE = """
body { background: var(--ground); color: var(--ink); font: 16px/1.55 var(--font); margin: 0 auto;
  max-width: 1000px; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 8px 0 4px; } h2 { font-size: 19px; margin: 36px 0 4px; }
section > div { background: var(--surface); border: 1px solid var(--line); border-radius: 8px;
  margin: 12px 0; overflow-x: auto; padding: 6px; }
table { border-collapse: collapse; margin: 4px 0 12px; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: 4px 10px; text-align: right; }
td { white-space: nowrap; } th { vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
footer { color: var(--muted); font-size: 13px; margin-top: 40px; }
"""


_BESIDE = {"What moved": ("How large",)}
"""Figures that belong to another's question."""


def words(told: Explanation) -> str:
    """The answers by their question, and the parts of the move, as HTML."""
    said = "".join(f"<p><b>{escape(name)}.</b> {escape(text)}</p>" for name, text in told.said().items())
    return said + _tables(told).get("With what", "")


def page(told: Explanation) -> str:
    """The whole answer as one HTML page."""
    figures, tables = told.figures(), _tables(told)
    pieces, script = [], True
    for name, text in told.said().items():
        drawn = ""
        for title in (name, *_BESIDE.get(name, ())):
            if title in figures:
                drawn += f"<div>{_drawn(figures[title], script)}</div>"
                script = False
        table = f"<div>{tables[name]}</div>" if name in tables else ""
        pieces.append(f"<section><h2>{escape(name)}</h2><p>{escape(text)}</p>{drawn}{table}</section>")
    return (
        '<!doctype html>\n<html lang="en" data-theme="light">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Why {escape(str(told.move))}</title>\n<style>{css()}{_STYLE}</style>\n"
        f"<h1>{escape(str(told.move))}</h1>\n{''.join(pieces)}\n<footer>{escape(_origin(told))}</footer>\n"
    )


def _origin(told: Explanation) -> str:
    bars, found = told.moves.bars, told.moves
    snapshot = "" if bars.snapshot is None else f" of snapshot {bars.snapshot}"
    return (
        f"Among {len(found)} moves of {', '.join(bars.symbols[:12])}{' …' * (len(bars.symbols) > 12)}, bars"
        f"{snapshot} from {bars.start:%Y-%m-%d} to {bars.end:%Y-%m-%d}. {found.coverage}."
    )


def _drawn(figure: object, script: bool) -> str:
    from plotly.io import to_html

    made: str = to_html(
        figure, include_plotlyjs=script, full_html=False, config={"displaylogo": False, "responsive": True}
    )
    return made


def _tables(told: Explanation) -> dict[str, str]:
    made: dict[str, list[pd.DataFrame]] = {}
    if told.attribution is not None:
        parts = told.attribution.parts
        table = pd.DataFrame(
            {
                "part": parts.index,
                "beta": parts["beta"].map("{:.2f}".format),
                "95 % interval": [
                    f"{a:.2f} to {b:.2f}" for a, b in zip(parts["low"], parts["high"], strict=True)
                ],
                "part of the log return": parts["part"].map("{:+.2%}".format),
                "share": parts["share"].map("{:.0%}".format),
            }
        ).replace({"nan": "–", "nan to nan": "–"})
        made["With what"] = [table]
    if len(told.precursors.table):
        made["What came before"] = [_precursors(told.precursors.table.head(8))]
    if told.analogues is not None:
        made["When before"] = _analogues(told.analogues)
    return {
        name: "".join(str(table.to_html(index=False, border=0)) for table in tables)
        for name, tables in made.items()
    }


def _analogues(found: Analogues) -> list[pd.DataFrame]:
    judged, near = found.judged, found.table[found.table["rank"] <= 3]
    first = pd.DataFrame(
        {
            "by": judged["by"], "analogues": judged["n"],
            "random queries with nearer ones": judged["unusual"].map("{:.0%}".format),
            "followed by, less any bar's (deviations)": judged["difference"].map("{:+.2f}".format),
            "p": judged["p"].map("{:.3f}".format), "corrected": judged["q"].map("{:.3f}".format),
        }
    )  # fmt: skip
    second = pd.DataFrame(
        {
            "the nearest by": near["by"], "symbol": near["symbol"],
            "from": near["start"].map("{:%Y-%m-%d}".format), "to": near["end"].map("{:%Y-%m-%d}".format),
            "distance": near["distance"].map("{:.2f}".format),
            f"followed by, {found.ahead} bars (deviations)": near["after"].map("{:+.1f}".format),
        }
    )  # fmt: skip
    return [first, second]


def _precursors(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feature": [f"{row.feature}, {row.lead} before" for row in table.itertuples()],
            "AUC": table["effect"].map("{:.2f}".format), "q": table["q"].map("{:.3f}".format),
            "later AUC": table["confirmed_effect"].map("{:.2f}".format),
            "later p": table["confirmed_p"].map("{:.3f}".format),
            "holds": table["holds"].map({True: "yes", False: "no"}),
            "precision": table["precision"].map("{:.0%}".format),
            "recall": table["recall"].map("{:.0%}".format),
            "false alarms a year": table["false_a_year"].map("{:.1f}".format),
            "lift": table["lift"].map("{:.1f}".format),
        }
    ).replace({"nan": "–", "nan%": "–"})  # fmt: skip
