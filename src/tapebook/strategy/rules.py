"""How decisions become trades: cash, costs, sizing, direction, stops, execution."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from numbers import Real
from typing import Any, Literal

from tapebook.errors import BadParameter, UnknownName

Direction = Literal["long", "short", "both"]

_CHOICES = {
    "sizing": ("percent", "value", "units", "volatility"),
    "direction": ("long", "short", "both"),
    "execution": ("next_open", "same_close"),
}
_SHARES = ("stop_loss", "take_profit", "trailing_stop")
_NOT_NEGATIVE = ("fees", "fixed_fee", "slippage")
_POSITIVE = ("cash", "lot")
_OPTIONAL = (*_SHARES, "size", "direction")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Rules:
    """How decisions become trades. Decided at a bar's close, filled at the symbol's next open.

    Parameters
    ----------
    cash : float
        Money at the start; for each symbol when `shared_cash` is False.
    fees, slippage : float
        Share of the traded value, and of the price, on each side: 0.001 is 0.1 %.
    fixed_fee : float
        Money an order.
    size : float, optional
        By `sizing`: "percent" is the share of equity an entry spends, costs included (None: equal
        slots, 1/N of the equity for N symbols in one pot); "value" money; "units" shares;
        "volatility" the annual volatility to aim at, over the last `volatility_bars` returns.
        Never more than the equity allows: there is no leverage, entries are scaled down alike.
        Target weights bring their own sizes.
    direction : "long", "short" or "both", optional
        Of entries and exits alone, "short" takes the other side (short at an exit, cover at an
        entry) and "both" is always on one side. None: "both" where the strategy speaks of shorts or
        gives weights, else "long".
    execution : "next_open" or "same_close"
        "same_close" fills at the very close that the decision used. It cannot be traded so, and
        every output made with it says so.
    stop_loss, take_profit, trailing_stop : float, optional
        Share of the average entry price (of the best price since, for the trailing stop), checked
        on the entry bar too. Where a bar touches both, the worse comes first; a gap fills at the
        open. A trailing stop follows completed bars.
    fractional, lot : bool, float
        Whether parts of a share may be traded; otherwise whole multiples of `lot`.
    shared_cash : bool
        One pot for all symbols, or `cash` for each.
    """

    cash: float = 100_000.0
    fees: float = 0.001
    fixed_fee: float = 0.0
    slippage: float = 0.0005
    size: float | None = None
    sizing: Literal["percent", "value", "units", "volatility"] = "percent"
    direction: Direction | None = None
    execution: Literal["next_open", "same_close"] = "next_open"
    stop_loss: float | None = None
    take_profit: float | None = None
    trailing_stop: float | None = None
    fractional: bool = True
    lot: float = 1.0
    shared_cash: bool = True
    volatility_bars: int = 20

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices and not (value is None and name in _OPTIONAL):
                raise BadParameter(name, value, "one of " + ", ".join(choices))
        for name in (*_NOT_NEGATIVE, *_POSITIVE, "size", *_SHARES):
            self._number(name)
        for name in ("fractional", "shared_cash"):
            if not isinstance(getattr(self, name), bool):
                raise BadParameter(name, getattr(self, name), "True or False")
        self._whole_number("volatility_bars", 2)
        self._consistent()

    def _number(self, name: str) -> None:
        value = getattr(self, name)
        if value is None and name in _OPTIONAL:
            return
        expected = "a number of at least 0" if name in _NOT_NEGATIVE else "a number above 0"
        low = 0.0 if name in _NOT_NEGATIVE else math.ulp(0.0)
        high = math.inf
        if name in ("fees", "slippage", "stop_loss", "trailing_stop"):
            expected, high = f"{expected} and below 1, a share: 0.01 is 1 %", 1.0
        if isinstance(value, bool) or not _is_number(value) or not low <= value < high:
            raise BadParameter(name, value, expected)
        object.__setattr__(self, name, float(value))

    def _whole_number(self, name: str, low: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not _is_number(value) or value != int(value) or value < low:
            raise BadParameter(name, value, f"a whole number of at least {low}")
        object.__setattr__(self, name, int(value))

    def _consistent(self) -> None:
        if self.size is None and self.sizing != "percent":
            what = {
                "value": "money an entry",
                "units": "units an entry",
                "volatility": "an annual volatility",
            }
            raise BadParameter("size", None, f"{what[self.sizing]}, since sizing is {self.sizing!r}")
        if self.sizing == "percent" and self.size is not None and self.size > 1:
            raise BadParameter("size", self.size, "at most 1 (all of the equity), since sizing is 'percent'")

    @property
    def same_close(self) -> bool:
        """Whether fills happen at the close that decided them: not tradable as shown."""
        return self.execution == "same_close"

    @classmethod
    def parse(cls, strings: Mapping[str, str]) -> Rules:
        """Read rules from text: {"fees": "0.002", "stop_loss": "none", "fractional": "no"}.

        Raises
        ------
        BadParameter
            Naming the rule, what it got and what was expected.
        """
        known = {field.name: field for field in fields(cls)}
        for name in strings:
            if name not in known:
                raise UnknownName("rule", name, known)
        return cls(**{name: _read(name, text, known[name].default) for name, text in strings.items()})

    def changed(self, **rules: Any) -> Rules:
        """Return these rules with some of them changed."""
        return replace(self, **rules)

    def record(self) -> dict[str, Any]:
        """Every rule by name, as JSON takes it."""
        return asdict(self)


def divided(
    strategy: str, parameters: Collection[str], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part settings that came in one breath into a strategy's parameters and rules."""
    rules = [field.name for field in fields(Rules)]
    for name in given:
        if name not in parameters and name not in rules:
            raise UnknownName(f"parameter of {strategy}, nor rule,", name, [*parameters, *rules])
    return {n: v for n, v in given.items() if n in parameters}, {n: v for n, v in given.items() if n in rules}


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _read(name: str, text: str, default: object) -> Any:
    word = str(text).strip()
    if name in _OPTIONAL and word.lower() in ("none", ""):
        return None
    if isinstance(default, bool):
        if word.lower() not in _TRUTH:
            raise BadParameter(name, text, "true or false")
        return _TRUTH[word.lower()]
    if name in _CHOICES:
        return word
    try:
        return float(word)
    except ValueError:
        raise BadParameter(name, text, "a number") from None
