"""What the correlation scan may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from tapebook.errors import BadParameter, NoData
from tapebook.market.correlation.columns import METHODS
from tapebook.market.correlation.questions import FEWEST
from tapebook.market.multiple import CORRECTIONS


def whole(name: str, value: object, least: int, expected: str) -> None:
    """Refuse what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise BadParameter(name, value, expected)


def checked(params: Mapping[str, Any], factors: bool, keep: int) -> dict[str, Any]:
    """Return the parameters, windows as a tuple; BadParameter names the first that makes no sense."""
    method, chance, halflife, level = (params[name] for name in ("method", "chance", "halflife", "level"))
    if method not in METHODS:
        raise BadParameter("method", method, "one of " + ", ".join(METHODS))
    if params["of"] not in ("returns", "residuals"):
        raise BadParameter("of", params["of"], '"returns" or "residuals" (for levels: `cointegration`)')
    if factors and params["of"] != "residuals":
        raise BadParameter("of", params["of"], '"residuals": factors are taken out of nothing else')
    if chance not in ("robust", "effective", "permutation"):
        raise BadParameter("chance", chance, '"robust", "effective" or "permutation"')
    if params["correction"] not in CORRECTIONS:
        raise BadParameter("correction", params["correction"], "one of " + ", ".join(CORRECTIONS))
    if params["align"] not in ("consecutive", "shared"):
        raise BadParameter("align", params["align"], '"consecutive" or "shared"')
    if not (isinstance(level, int | float) and 0.0 < level < 1.0):
        raise BadParameter("level", level, "a share of false findings above 0 and below 1")
    whole("lags", params["lags"], 0, "a whole number of bars, 0 or more")
    whole("min_bars", params["min_bars"], FEWEST, f"a whole number of bars, at least {FEWEST}")
    whole("keep", keep, 1, "a whole number of rows, at least 1")
    whole("seed", params["seed"], 0, "a whole number, 0 or more")
    if params["block"] is not None:
        whole("block", params["block"], 1, "a whole number of rows, at least 1, or None for √T")
    if params["lags"] and method == "partial":
        raise BadParameter("lags", params["lags"], "0 with method='partial': it is given the same bar of all")
    if halflife is not None:
        if not (isinstance(halflife, int | float) and halflife > 0.0):
            raise BadParameter("halflife", halflife, "above 0 bars")
        if method not in ("pearson", "spearman"):
            raise BadParameter("halflife", halflife, "None, or method pearson or spearman")
    if chance != "robust" and (method not in ("pearson", "spearman") or halflife is not None):
        raise BadParameter("chance", chance, f"'robust' with method={method!r} or a half-life")
    return dict(params) | {"windows": _windows(params["windows"])}


def _windows(windows: object) -> tuple[int | None, ...]:
    expected = "different numbers of bars of at least 10, or None for all, such as (None, 250)"
    if isinstance(windows, str) or not hasattr(windows, "__iter__"):
        raise BadParameter("windows", windows, expected)
    told = tuple(windows)
    if not told or len(set(told)) < len(told):
        raise BadParameter("windows", windows, expected)
    for window in told:
        if window is not None:
            whole("windows", window, FEWEST, expected)
    return told


def spanned(T: int, params: Mapping[str, Any]) -> None:
    """Refuse windows longer than T rows, and lags that leave too few rows of one."""
    for window in params["windows"]:
        if window is not None and window > T:
            raise NoData(f"a window of {window:,} bars does not fit into {T:,} rows: take a shorter one")
        rows, lags = window or T, params["lags"]
        if rows - lags < FEWEST:
            most = max(rows - FEWEST, 0)
            raise BadParameter("lags", lags, f"at most {most}: of {rows:,} rows a lag must leave {FEWEST}")
