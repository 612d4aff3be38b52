"""A rule as text: conditions on named features, joined by "and"."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from tapebook.errors import BadParameter
from tapebook.market.states import States

_PART = re.compile(r"^\s*([a-z_][a-z0-9_]*)\s*(<=|>)\s*([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Condition:
    """`feature` is above (">") or not above ("<=") `level`."""

    feature: str
    sign: str
    level: float


def conditions_text(conditions: tuple[Condition, ...]) -> str:
    """Write conditions as a rule.

    >>> conditions_text((Condition("volume_5", ">", 0.5), Condition("return_20", "<=", -1.0)))
    'volume_5 > 0.5 and return_20 <= -1'
    """
    return " and ".join(f"{c.feature} {c.sign} {c.level:g}" for c in conditions)


def parsed(text: str) -> tuple[Condition, ...]:
    """Read a rule, one to five conditions.

    >>> parsed("volume_5 > 0.5 and return_20 <= -1")[1]
    Condition(feature='return_20', sign='<=', level=-1.0)

    Raises
    ------
    BadParameter
        If a part is no condition.
    """
    told = []
    for part in re.split(r"\band\b", text):
        match = _PART.match(part)
        if match is None:
            raise BadParameter("rule", text, 'conditions such as "volume_5 > 0.5 and return_20 <= -1"')
        told.append(Condition(match[1], match[2], float(match[3])))
    if len(told) > 5:
        raise BadParameter("rule", text, "at most 5 conditions")
    return tuple(told)


def rings(made: States, conditions: tuple[Condition, ...]) -> np.ndarray:
    """Where (T, N) all conditions are true; an unknown feature is not.

    Raises
    ------
    UnknownName
        If there is no such feature.
    """
    answer = np.ones(made.deviation.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        for one in conditions:
            values = made[one.feature]
            answer &= (values > one.level) if one.sign == ">" else (values <= one.level)
    return answer
