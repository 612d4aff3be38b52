"""The correlation page: a heat map, a network, or one pair, of what a scan has stored."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING, Any

from tapebook.dashboards import figures, look, parts
from tapebook.dashboards.apology import guarded
from tapebook.dashboards.asked import Address, asked_record
from tapebook.dashboards.run_page import charts, foot
from tapebook.data.plain import file_name

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config
    from tapebook.dashboards.records import Record

VIEWS = ("heat map", "network", "pair")
HELD = "only what holds after correction"


@guarded
def correlation_page(config: Config) -> ipywidgets.Widget:
    """Return the page of a scan for correlations."""
    import ipywidgets as w

    record = asked_record(config, "correlations")
    if record is None:
        return parts.missing("There is no scan yet: <code>tapebook run correlations</code>.")
    top = [w.HTML(look.style() + parts.head(record)), address := Address()]
    found = parts.rows(record, "findings")
    if not found:
        return w.VBox([*top, parts.html("<p>This scan has stored no findings.</p>"), *foot(record)])
    others = [name for name in record.names("figures") if not name.startswith("pair ")]
    more = [parts.html("<h2>Through time, and what belongs together</h2>"), charts(record, others, address)]
    return w.VBox([*top, _explorer(record, found, address), *(more if others else []), *foot(record)])


def _explorer(record: Record, found: list[dict[str, Any]], address: Address) -> Any:
    import ipywidgets as w

    lags = sorted({row["lag"] for row in found if row.get("lag") is not None})
    windows = sorted({str(row.get("window")) for row in found})
    pairs = sorted({tuple(sorted((row["a"], row["b"]))) for row in found})
    symbols = _symbols(record, found)
    view = address.keep("view", parts.choice("view", VIEWS))
    lag = address.keep("lag", parts.slider("lag, bars", lags, 0 if 0 in lags else lags[0]))
    window = address.keep("window", parts.choice("window", windows))
    which = address.keep("which", parts.choice("show", ("all that was asked", HELD)))
    pair = address.keep("pair", parts.choice("pair", [(f"{a} and {b}", f"{a} {b}") for a, b in pairs]))
    chart, told = figures.widget({"data": [], "layout": {}}), w.HTML()

    def show(_: Any = None) -> None:
        one = view.value == "pair"
        pair.layout.display = None if one else "none"
        for control in (lag, which, window):
            control.layout.display = "none" if one else None
        window.layout.display = "none" if one or len(windows) < 2 else None
        if one:
            chart.show(_pair(record, found, pair.value))
            shown = [row for row in found if " ".join(sorted((row["a"], row["b"]))) == pair.value]
        else:
            shown = [
                row
                for row in found
                if row["lag"] == lag.value
                and str(row.get("window")) == window.value
                and (which.value != HELD or row.get("holds"))
            ]
            draw = _heat if view.value == "heat map" else _network
            chart.show(draw(shown, symbols, lag.value))
        shown.sort(key=lambda row: -abs(row.get("effect") or 0))
        names = [n for n in ("a", "b", "lag", "effect", "low", "high", "n", "q", "holds") if n in found[0]]
        told.value = look.page("<h2>The strongest of them</h2>", parts.table(shown[:15], names, look.plain))

    for control in (view, lag, window, which, pair):
        control.observe(show, "value")
    show()
    return w.VBox([parts.controls(view, pair, lag, window, which), parts.boxed(chart), told])


def _symbols(record: Record, found: list[dict[str, Any]]) -> list[str]:
    """Neighbours are alike, as far as the scan found clusters; then the others."""
    ordered = [str(row["symbol"]) for row in parts.rows(record, "clusters")]
    named = dict.fromkeys(name for row in found for name in (row["a"], row["b"]))
    return [name for name in dict.fromkeys([*ordered, *named]) if name in named]


def _heat(shown: list[dict[str, Any]], symbols: list[str], lag: int) -> dict[str, Any]:
    known = {(row["a"], row["b"]): row["effect"] for row in shown}
    if lag == 0:
        known |= {(b, a): value for (a, b), value in known.items()}
    z = [[1.0 if a == b and lag == 0 else known.get((a, b)) for b in symbols] for a in symbols]
    heat = {
        "type": "heatmap", "x": symbols, "y": symbols, "z": z, "zmin": -1, "zmax": 1,
        "zmid": 0, "autocolorscale": True,
        "colorbar": {"title": {"text": "correlation"}},
        "hovertemplate": "%{y} and %{x}: %{z:.2f}<extra></extra>",
    }  # fmt: skip
    follows = "" if lag == 0 else f": the one on the left, {lag} bars before the one below"
    layout = {
        "title": {"text": f"Correlation of returns{follows}"},
        "height": 520,
        "xaxis": {"title": {"text": "symbol"}},
        "yaxis": {"title": {"text": "symbol"}, "autorange": "reversed"},
    }
    return {"data": [heat], "layout": layout}


def _network(shown: list[dict[str, Any]], symbols: list[str], lag: int) -> dict[str, Any]:
    turn = 2 * pi / len(symbols)
    places = {symbol: (cos(turn * i), sin(turn * i)) for i, symbol in enumerate(symbols)}
    data: list[dict[str, Any]] = []
    for sign, name, colour, dash in ((1, "together", "#0072B2", "solid"), (-1, "against", "#D55E00", "dash")):
        first = True
        for row in shown:
            effect = row.get("effect") or 0.0
            if effect * sign <= 0:
                continue
            (x0, y0), (x1, y1) = places[row["a"]], places[row["b"]]
            line = {"color": colour, "width": 1 + 7 * abs(effect), "dash": dash}
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [x0, x1],
                    "y": [y0, y1],
                    "line": line,
                    "name": name,
                    "showlegend": first,
                    "hoverinfo": "skip",
                    "opacity": 0.75,
                }  # fmt: skip
            )
            first = False
    dots = {
        "type": "scatter", "mode": "markers+text", "text": symbols, "textposition": "top center",
        "x": [places[s][0] for s in symbols], "y": [places[s][1] for s in symbols],
        "showlegend": False, "marker": {"size": 14, "color": "#59636E"}, "hoverinfo": "text",
    }  # fmt: skip
    hidden = {"visible": False, "range": [-1.35, 1.35]}
    layout = {
        "title": {"text": f"Who moves with whom, lag {lag} bars"},
        "height": 560,
        "xaxis": hidden,
        "yaxis": hidden | {"scaleanchor": "x"},
        "hovermode": "closest",
    }
    return {"data": [*data, dots], "layout": layout}


def _pair(record: Record, found: list[dict[str, Any]], pair: str) -> dict[str, Any]:
    """The recorded figure of a pair; of one that has none, its correlation at each lag."""
    one = next(row for row in found if " ".join(sorted((row["a"], row["b"]))) == pair)
    a, b = sorted((one["a"], one["b"]))
    for name in (file_name(f"pair {a} {b}"), file_name(f"pair {b} {a}")):
        if name in record.names("figures"):
            try:
                return figures.load(record.folder / "figures" / f"{name}.json")
            except (OSError, ValueError):
                break
    ahead = [row for row in found if (row["a"], row["b"]) == (a, b)]
    behind = [row | {"lag": -row["lag"]} for row in found if (row["a"], row["b"]) == (b, a)]
    known = [row for row in [*ahead, *behind] if row.get("effect") is not None]
    known.sort(key=lambda row: row["lag"])
    bars = {
        "type": "bar", "name": "correlation", "x": [row["lag"] for row in known],
        "y": [row["effect"] for row in known],
        "error_y": {
            "type": "data", "symmetric": False,
            "array": [(row.get("high") or row["effect"]) - row["effect"] for row in known],
            "arrayminus": [row["effect"] - (row.get("low") or row["effect"]) for row in known],
        },
    }  # fmt: skip
    layout = {
        "title": {"text": f"{a} and {b}: correlation at each lag, with its interval; above 0 {a} leads"},
        "height": 420,
        "xaxis": {"title": {"text": "lag, bars"}},
        "yaxis": {"title": {"text": "correlation"}, "range": [-1, 1]},
    }
    return {"data": [bars], "layout": layout}
