"""Explore: pick symbols and a strategy, move its parameters, and see what it would have made of the past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from tapebook.dashboards import form_fields
from tapebook.dashboards.explore_figure import figure
from tapebook.dashboards.explore_stage import stage
from tapebook.errors import BadInput, BadParameter, TapebookError, UnknownName
from tapebook.strategy.backtest.tearsheet import HEADLINE

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.strategy.backtest.backtest import Backtest

CARD = (
    "display:inline-block;border:1px solid var(--jp-border-color2,var(--line,#D9DEE4));border-radius:6px;"
    "padding:5px 12px;margin:0 8px 6px 0;font-size:12px"
)
INK = (
    "color:var(--jp-ui-font-color1,var(--ink,#1B1F24));"
    "font-family:var(--jp-ui-font-family,var(--font,sans-serif))"
)
SIGNS = {"no evidence": "✗", "weak": "–", "worth a forward test": "✓"}


class Trader(Protocol):
    """What an explorer asks of a desk."""

    @property
    def strategy(self) -> Callable[..., Any]:
        """Find a strategy."""

    @property
    def symbols(self) -> Callable[..., pd.DataFrame]:
        """List the lake."""

    @property
    def bars(self) -> Callable[..., Any]:
        """Read bars."""

    @property
    def backtest(self) -> Callable[..., Backtest]:
        """Trade."""


class Explorer:
    """Controls and a chart that follows them; `backtest` is what is shown, `settings` how it was asked for.

    Every new setting is a trial like any other, and the desk's ledger counts it: the verdict knows how long
    one has been looking.
    """

    def __init__(
        self,
        desk: Trader,
        strategies: Sequence[str],
        *,
        strategy: str,
        symbols: Sequence[str],
        start: str | None,
        end: str | None,
        freq: str,
        dark: bool,
    ) -> None:
        self._desk, self._freq, self._dark = desk, freq, dark
        listed = desk.symbols()
        self._known = sorted(listed[listed["freq"] == freq]["symbol"]) if len(listed) else []
        if not self._known:
            raise BadInput(f"the lake has no bars of {freq} to explore: try desk.ingest('sample')")
        for symbol in symbols:
            if symbol not in self._known:
                raise UnknownName("symbol", symbol, self._known, "See `tapebook data list`.")
        self._kept: dict[Any, Backtest] = {}
        self._stage, self._quiet = stage(), True
        self.backtest: Backtest | None = None
        self._controls(list(strategies), strategy, list(symbols) or self._known[:1], start, end)
        self._choose()
        self._quiet = False
        self._follow()

    @property
    def settings(self) -> dict[str, Any]:
        """Strategy, symbols, span and parameters as they are shown: `desk.backtest` takes the parameters."""
        span = {"start": self._start.value.strip() or None, "end": self._end.value.strip() or None}
        params = {} if self.backtest is None else dict(self.backtest.params)
        return {"strategy": self._strategy.value, "symbols": list(self._symbols.value), **span, **params}

    def _controls(
        self, strategies: list[str], strategy: str, symbols: list[str], start: str | None, end: str | None
    ) -> None:
        import ipywidgets as w

        look = {"style": form_fields.WIDE}
        late = look | {"continuous_update": False}
        self._strategy = w.Dropdown(options=strategies, value=strategy, description="strategy", **look)
        self._symbols = w.TagsInput(value=symbols, allowed_tags=self._known, allow_duplicates=False)
        self._add = w.Combobox(
            options=self._known,
            placeholder="type a symbol to add",
            description="symbols",
            ensure_option=True,
            **late,
        )
        self._start = w.Text(start or "", description="from", placeholder="the first bar", **late)
        self._end = w.Text(end or "", description="to", placeholder="the last bar", **late)
        self._seen = w.Dropdown(options=symbols, description="price of", **look)
        self._params, self._state = w.VBox([]), w.HTML()
        self._fields: dict[str, form_fields.Field] = {}
        for control, act in (
            (self._strategy, self._choose_and_follow),
            (self._symbols, self._follow),
            (self._add, self._added),
            (self._start, self._follow),
            (self._end, self._follow),
            (self._seen, self._follow),
        ):
            control.observe(_calling(act), "value")
        what = w.VBox(
            [self._strategy, self._add, w.HBox([w.Label("", layout=w.Layout(width="122px")), self._symbols])]
        )
        when = w.VBox([self._start, self._end, self._seen])
        row = w.Layout(display="flex", flex_flow="row wrap", grid_gap="4px 20px")
        self._view = w.VBox(
            [w.Box([what, when, self._params], layout=row), self._state, *self._stage.widgets()]
        )

    def _choose(self) -> None:
        """Give the chosen strategy's parameters controls."""
        found = self._desk.strategy(self._strategy.value)
        self._fields = {p.name: form_fields.of_strategy(p) for p in found.parameters.values()}
        for field in self._fields.values():
            field.watch(self._follow)
        self._params.children = tuple(field.box for field in self._fields.values())
        self._strategy.tooltip = found.description

    def _choose_and_follow(self) -> None:
        self._choose()
        self._follow()

    def _added(self) -> None:
        symbol = self._add.value
        if symbol in self._known:
            if symbol not in self._symbols.value:
                self._symbols.value = [*self._symbols.value, symbol]
            self._add.value = ""

    def _follow(self) -> None:
        """Trade what the controls say, and show it; Ctrl-C (in Lab: ■) stops it and leaves the last chart."""
        if self._quiet:
            return
        try:
            asked = self._asked()
            if asked is None:
                return
            if asked not in self._kept:
                self._say("trading … (■ or Ctrl-C stops it)")
                self._kept[asked] = self._trade(*asked)
            self._show(self._kept[asked])
            self._say("")
        except KeyboardInterrupt:
            self._say("Stopped. The chart shows the setting before; move a control to go on.")
        except BadParameter as error:
            field = self._fields.get(error.name)
            if field is not None:
                field.complain(f"expected {error.expected}")
            self._say("" if field is not None else str(error))
        except TapebookError as error:
            self._say(str(error))
        except Exception as error:  # a strategy's own: unseen it would leave "trading …" for ever
            self._say(f"{self._strategy.value} failed with {type(error).__name__}: {error}")

    def _asked(self) -> Any:
        """What the controls say, as a key; None while nothing is picked or a value is wrong."""
        symbols = tuple(self._symbols.value)
        if not symbols:
            self._say("Pick a symbol.")
            return None
        span = (self._start.value.strip() or None, self._end.value.strip() or None)
        params = tuple((name, field.value()) for name, field in self._fields.items())
        return self._strategy.value, symbols, span, params

    def _trade(self, name: str, symbols: Any, span: Any, params: Any) -> Backtest:
        bars = self._desk.bars(list(symbols), start=span[0], end=span[1], freq=self._freq)
        return self._desk.backtest(name, bars, save=False, **dict(params))

    def _show(self, bt: Backtest) -> None:
        self.backtest, before = bt, self._quiet
        self._quiet = True
        if tuple(self._seen.options) != bt.symbols:
            kept = self._seen.value if self._seen.value in bt.symbols else bt.symbols[0]
            self._seen.options, self._seen.value = bt.symbols, kept
        self._seen.layout.display = None if len(bt.symbols) > 1 else "none"
        self._quiet = before
        self._stage.show(headline(bt), figure(bt, self._seen.value, dark=self._dark))

    def _say(self, text: str) -> None:
        self._state.value = (
            f"<div role='status' style='{INK};font-size:13px'>{escape(text)}</div>" if text else ""
        )

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self._view)  # type: ignore[no-untyped-call]
        self._stage.begin()

    def __repr__(self) -> str:
        return f"Explorer({self.settings})"


def headline(bt: Backtest) -> str:
    """Return the first figures as cards, and the verdict with its reasons, as HTML."""
    luck = bt.luck()
    cards = "".join(
        f"<span style='{CARD}'>{escape(words)}<br>"
        f"<b style='font-size:17px'>{escape(str(bt.metrics[name]))}</b></span>"
        for name, words in HEADLINE.items()
    )
    sign = SIGNS.get(luck.verdict, "?")
    said = f"<b>Could it be luck? {sign} {escape(luck.verdict)}.</b> {escape(' '.join(luck.reasons))}"
    return (
        f"<div style='{INK}'><div>{cards}</div><div style='font-size:13px;max-width:980px'>{said}</div></div>"
    )


def _calling(act: Callable[[], None]) -> Callable[[Any], None]:
    return lambda _change: act()
