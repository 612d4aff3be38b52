"""A strategy frozen on a day, and what it decided and made since: the forward test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook import theme
from tapebook.strategy.forward.book import account, broken, digest
from tapebook.strategy.forward.odds import Cone, Decay, cone, decay, trade_rate
from tapebook.strategy.luck.verdict import counted
from tapebook.strategy.rules import Rules
from tapebook.strategy.simulation import kernel as k

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.simulation.simulate import Simulation

HINDSIGHT = "FROZEN IN HINDSIGHT: the bars since were there to be seen"
"""What a freeze on an earlier day than its own carries everywhere."""


@dataclass(frozen=True, eq=False, repr=False)
class Frozen:
    """A strategy that cannot change any more: code, parameters, rules, universe, and what was expected of it.

    `content` is everything, `digest` its hash. `until` is the last bar that was known.
    """

    id: str
    digest: str
    content: Mapping[str, Any]

    @property
    def strategy(self) -> Strategy:
        """The strategy as it was, made again from the kept text."""
        from tapebook.strategy.keep import revive

        return revive(self.content["source"])

    @property
    def rules(self) -> Rules:
        """Cash, costs, sizing, stops and execution."""
        return Rules(**self.content["rules"])

    @property
    def until(self) -> pd.Timestamp:
        """Stamp of the last bar that was known."""
        return pd.Timestamp(self.content["until"])

    @property
    def backdated(self) -> bool:
        """Whether it was frozen as if on an earlier day."""
        return bool(self.content["backdated"])

    @property
    def expected(self) -> np.ndarray:
        """Bar returns of the backtest that it was frozen with, shape (T,)."""
        return np.array(self.content["expectation"]["returns"], dtype=float)

    def verify(self) -> bool:
        """Whether the content is what the hash says."""
        return digest("", self.content) == self.digest

    def __repr__(self) -> str:
        c, e = self.content, self.content["expectation"]
        params = ", ".join(f"{name}={value}" for name, value in c["params"].items())
        lines = [
            f"{self.id}: {c['name']}({params}) on {', '.join(c['symbols'])}, frozen {c['frozen_at'][:16]}"
        ]
        if self.backdated:
            lines.append(f"  {HINDSIGHT}")
        data = f"snapshot {c['snapshot']}, hash {self.digest[:12]}"
        lines.append(f"  bars of {c['freq']} up to {self.until:%Y-%m-%d}, {data}")
        shown = ("sharpe", "bar_expectancy_share", "expectancy_share")
        told = [f"{name.replace('_', ' ')} {e[name]['said']}" for name in shown]
        lines.append(f"  expected: {'; '.join(told)}")
        lines.append(f"  verdict then: {c['verdict']}; look-ahead: {c['look_ahead']}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class Forward:
    """A frozen strategy's ledger, made into an account, next to what was expected.

    `entries`: the ledger's rows, oldest first. `revisions`: bars that are read differently today than when
    they were decided on. `gaps`: what a fresh backtest of the same bars has more, each with its cause.
    `next_session`: when tomorrow's orders are valid; `added`: entries that this call wrote.
    """

    frozen: Frozen
    entries: Sequence[Mapping[str, Any]]
    revisions: pd.DataFrame
    gaps: pd.DataFrame
    next_session: str | None
    added: int

    @cached_property
    def rows(self) -> list[Mapping[str, Any]]:
        """The row of the freeze, then the entries'."""
        return [self.frozen.content["first"], *(entry["content"] for entry in self.entries)]

    @cached_property
    def _account(self) -> tuple[Bars, Simulation]:
        return account(self.rows, self.frozen.rules, self.frozen.content)

    @property
    def equity(self) -> pd.Series:
        """Money at each close since the freeze, the first row being the freeze itself."""
        bars, done = self._account
        money = done.equity if done.accounts == 1 else done.equity.sum(axis=1)
        return pd.Series(money, bars.index, name="equity")

    @property
    def returns(self) -> pd.Series:
        """Simple return of each bar since the freeze, (H,)."""
        return self.equity.pct_change().iloc[1:].rename("return")

    @property
    def orders(self) -> pd.DataFrame:
        """Paper fills since the freeze."""
        from tapebook.strategy.performance.tables import order_frame

        bars, done = self._account
        return order_frame(done.orders, bars)

    @property
    def trades(self) -> pd.DataFrame:
        """Paper trades since the freeze."""
        from tapebook.strategy.performance.tables import trade_frame

        bars, done = self._account
        return trade_frame(done.trades, bars)

    @cached_property
    def cone(self) -> Cone | None:
        """What was expected of the equity; None before the first bar."""
        return cone(self.frozen.expected, self.returns) if len(self.entries) else None

    @cached_property
    def decay(self) -> Decay | None:
        """Whether it does worse than expected, tested at every bar; None before the first."""
        year = self._account[0].periods_per_year
        return decay(self.frozen.expected, self.returns, year) if len(self.entries) else None

    @property
    def trade_rate(self) -> str:
        """Closed trades next to how many were expected."""
        closed = int((self.trades["status"] == "closed").sum())
        return trade_rate(self.frozen.content["expectation"]["trades_a_bar"], closed, len(self.entries))

    def verify(self) -> str | None:
        """Say where the chain of hashes or the account is not what was written; None if all is whole."""
        if not self.frozen.verify():
            return "the frozen strategy was changed after it was written"
        why = broken(self.frozen.digest, self.entries)
        if why is not None:
            return why
        for entry, made in zip(self.entries, self.equity.iloc[1:], strict=True):
            if abs(entry["content"]["equity"] - made) > 1e-6 * max(1.0, abs(made)):
                return f"entry {entry['entry']} ({entry['ts']}) does not have the equity that its rows make"
        return None

    def tomorrow(self) -> pd.DataFrame:
        """Paper orders for the next session, decided at the last close, estimated at it.

        Columns: symbol, side, units, price (estimated), reason, and for what is held then the prices at
        which it would be left: stop and target, where there are any.
        """
        rows, last = self.rows, self.rows[-1]
        quiet = {
            s: None if b is None else [b[3], b[3], b[3], b[3], 0.0] for s, b in self._last_prices().items()
        }
        silent = dict.fromkeys(last["decision"], 0 if last["kind"] == "signals" else None)
        after = {**last, "ts": (pd.Timestamp(last["ts"]) + pd.Timedelta("1D")).isoformat(), "bars": quiet}
        after |= {"split": dict.fromkeys(quiet, 1.0), "decision": silent}
        bars, done = account([*rows, after], self.frozen.rules, self.frozen.content)
        told = []
        for order in done.orders[done.orders[:, k.ROW] == len(rows)]:
            n = int(order[k.SYMBOL])
            held = float(done.positions[-2, n])
            reason = "exit" if held * order[k.AMOUNT] < 0 else "entry"
            side = "buy" if order[k.AMOUNT] > 0 else "sell"
            told.append(
                (
                    bars.symbols[n],
                    side,
                    abs(float(order[k.AMOUNT])),
                    float(bars.values["close"][-2, n]),
                    reason,
                )
            )
        table = pd.DataFrame(told, columns=["symbol", "side", "units", "price", "reason"])
        return table.assign(valid=self.next_session)

    def held(self) -> pd.DataFrame:
        """What is held: symbol, units, value, entry price, and the prices of stop and target."""
        rules, trades = self.frozen.rules, self.trades
        bars, _ = self._account
        rows = []
        for _, trade in trades[trades["status"] == "open"].iterrows():
            side = 1.0 if trade["direction"] == "long" else -1.0
            since = bars.close[trade["symbol"]].loc[trade["entry_ts"] :]
            stop = trade["entry_price"] * (1.0 - side * rules.stop_loss) if rules.stop_loss else np.nan
            target = trade["entry_price"] * (1.0 + side * rules.take_profit) if rules.take_profit else np.nan
            units = side * abs(trade["units"])
            rows.append(
                (trade["symbol"], units, units * since.ffill().iloc[-1], trade["entry_price"], stop, target)
            )
        return pd.DataFrame(rows, columns=["symbol", "units", "value", "entry_price", "stop", "target"])

    def _last_prices(self) -> dict[str, Any]:
        """The last bar of each symbol that has one."""
        found: dict[str, Any] = {}
        for row in self.rows:
            found |= {s: b for s, b in row["bars"].items() if b is not None}
        return {symbol: found.get(symbol) for symbol in self.frozen.content["symbols"]}

    def words(self) -> list[str]:
        """What there is to say, in sentences."""
        said = [HINDSIGHT] if self.frozen.backdated else []
        if self.cone is None or self.decay is None:
            return [*said, "No bar has come since the freeze."]
        made = self.equity.iloc[-1] / self.equity.iloc[0] - 1.0
        late = sum(bool(entry["content"]["caught_up"]) for entry in self.entries)
        said.append(f"{len(self.entries):,} bars since the freeze made {made:.2%}: {self.cone}.")
        said.append(f"{str(self.decay)[0].upper()}{str(self.decay)[1:]}.")
        said.append(f"{self.trade_rate}.")
        if late:
            said.append(f"{late:,} of the bars were caught up with later, not decided on their own day.")
        if len(self.revisions):
            said.append(f"{counted(len(self.revisions), 'value')} revised since; no past decision changed.")
        money = self.gaps["money"].sum()
        if len(self.gaps):
            parts = self.gaps.groupby("cause")["money"].sum().sort_values()
            told = ", ".join(f"{cause} {value:+,.2f}" for cause, value in parts.items())
            said.append(f"A fresh backtest of the same days has {money:+,.2f}: {told}.")
        else:
            said.append("A fresh backtest of the same days has the same to the cent.")
        return said

    def figure(self) -> go.Figure:
        """Draw the cone, and reality in it."""
        import plotly.graph_objects as go

        colours, figure = theme.palette(dark=False), go.Figure()
        if self.cone is not None:
            bands = self.cone.bands
            for low, high, share in ((0.025, 0.975, "95%"), (0.1, 0.9, "80%"), (0.25, 0.75, "50%")):
                nothing = {"mode": "lines", "line_width": 0, "hoverinfo": "skip"}
                figure.add_scatter(x=bands.index, y=bands[low], showlegend=False, **nothing)
                told = {"name": f"{share} of what was expected", "fillcolor": "rgba(0, 114, 178, 0.14)"}
                figure.add_scatter(x=bands.index, y=bands[high], fill="tonexty", **told, **nothing)
            line = {"color": colours.muted, "dash": "dot", "width": 1.2}
            figure.add_scatter(x=bands.index, y=bands[0.5], name="median", line=line, hoverinfo="skip")
        real = self.equity / self.equity.iloc[0]
        line = {"color": colours.series[1], "width": 2}
        figure.add_scatter(x=real.index, y=real, name="reality", line=line, hovertemplate="%{y:.3f}")
        title = "Growth of 1 since the freeze" + (
            f"<br><b>⚠ {HINDSIGHT}</b>" if self.frozen.backdated else ""
        )
        figure.update_layout(
            template=go.layout.Template(theme.template(dark=False)), title=title, height=440,
            legend={"x": 0.01, "y": 0.99, "yanchor": "top"}, hovermode="x unified", margin={"t": 90},
        )  # fmt: skip
        return figure

    def __repr__(self) -> str:
        return "\n".join([repr(self.frozen), *(f"  {line}" for line in self.words())])

    def _repr_html_(self) -> str:
        from html import escape

        return "<p>" + "<br>".join(escape(line) for line in repr(self).splitlines()) + "</p>"
