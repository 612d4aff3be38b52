"""Types and units: whether an expression can mean anything, before anything is read or computed."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from tapebook.strategy.screen.fault import BadExpression
from tapebook.strategy.screen.node import COMPARISONS, CROSSINGS, Node
from tapebook.strategy.screen.words import FIELDS, RATIO, TWO, WORDS, Setting, Unit, Word, usage

LONGEST_WINDOW = 100_000


@dataclass(frozen=True)
class Kind:
    """What a part of an expression is: a number with a unit (None: bare), a condition or a text."""

    type: Literal["number", "condition", "text"]
    unit: Unit | None = None
    constant: float | None = None

    def __str__(self) -> str:
        if self.type != "number":
            return f"a {self.type}"
        return "a number" if self.unit is None else _named(self.unit)


CONDITION, TEXT = Kind("condition"), Kind("text")
NAMES = {
    (): "a ratio", (("price", 1.0),): "a price", (("volume", 1.0),): "a volume",
    (("points", 1.0),): "points from 0 to 100", (("bars", 1.0),): "a number of bars",
    (("days", 1.0),): "a number of days", (("price", 1.0), ("volume", 1.0)): "a turnover",
}  # fmt: skip


def checked(text: str, node: Node) -> tuple[str, ...]:
    """Check a whole expression, which must be a condition; return notes on what is odd but possible.

    Raises
    ------
    BadExpression
        Pointing at the part that means nothing.
    """
    check = Check(text)
    kind = check.of(node)
    if kind.type != "condition":
        raise check.fault(
            f"this is {kind}, and a screen is a condition: compare it, as in close > sma(200)", node
        )
    return tuple(check.notes)


class Check:
    """The kinds of the parts of one expression."""

    def __init__(self, text: str) -> None:
        self.text, self.notes = text, list[str]()
        self._known: dict[int, tuple[Node, Kind]] = {}

    def fault(self, reason: str, node: Node) -> BadExpression:
        """Make the error that points at a part."""
        return BadExpression(reason, self.text, node.at, node.end)

    def of(self, node: Node) -> Kind:
        """Return the kind of a part; each is looked at once."""
        if id(node) not in self._known:
            self._known[id(node)] = node, self._kind(node)  # with the node, so that its id stays its own
        return self._known[id(node)][1]

    def _kind(self, node: Node) -> Kind:
        match node.kind:
            case "number":
                return Kind("number", None, node.value)
            case "percent":
                return Kind("number", RATIO, node.value / 100.0)
            case "text":
                return TEXT
            case "name":
                return self._name(node)
            case "call":
                return self._call(node)
            case "minus":
                return self._minus(node)
            case "in":
                return self._among(node)
            case "and" | "or" | "not":
                for part in node.parts:
                    self._expect(part, "condition", f"{node.kind!r} joins conditions")
                return CONDITION
        if node.kind in COMPARISONS or node.kind in CROSSINGS:
            return self._compare(node)
        return self._arithmetic(node)

    def _name(self, node: Node) -> Kind:
        name = node.value.lower()
        if name == "symbol":
            return TEXT
        if name in FIELDS:
            return Kind("number", FIELDS[name])
        if name in WORDS:
            raise self.fault(f"{name} is a function: write {usage(name)}", node)
        raise self.fault(f"no field named {node.value!r}.{_near(name, [*FIELDS, 'symbol', *WORDS])}", node)

    def _expect(self, node: Node, type: str, why: str) -> Kind:
        kind = self.of(node)
        if kind.type != type:
            raise self.fault(f"this is {kind}: {why}", node)
        return kind

    def _minus(self, node: Node) -> Kind:
        kind = self._expect(node.parts[0], "number", "a sign needs a number")
        return Kind("number", kind.unit, None if kind.constant is None else -kind.constant)

    def _arithmetic(self, node: Node) -> Kind:
        left, right = (self._expect(part, "number", f"{node.kind} needs numbers") for part in node.parts)
        constant = None
        if left.constant is not None and right.constant is not None:
            constant = self._folded(node, left.constant, right.constant)
        elif node.kind == "/" and right.constant == 0:
            raise self.fault("this divides by 0", node.parts[1])
        if node.kind in "+-":
            return Kind("number", self._same(node, left, right, "add or subtract"), constant)
        if left.unit is None and right.unit is None:
            return Kind("number", None, constant)
        sign = 1.0 if node.kind == "*" else -1.0
        return Kind("number", _times(left.unit or (), right.unit or (), sign), constant)

    def _folded(self, node: Node, one: float, other: float) -> float:
        if node.kind == "/" and other == 0:
            raise self.fault("this divides by 0", node.parts[1])
        told = {"+": one + other, "-": one - other, "*": one * other}.get(node.kind)
        return one / other if told is None else told

    def _same(self, node: Node, left: Kind, right: Kind, what: str) -> Unit | None:
        """Return the common unit; a bare number takes the other's."""
        bare = [kind.unit is None and kind.constant is not None for kind in (left, right)]
        if left.unit == right.unit or any(bare):
            return right.unit if bare[0] else left.unit
        reason = f"cannot {what} {left} and {right}"
        for kind, part in ((left, node.parts[0]), (right, node.parts[1])):
            if part.kind == "percent":
                other = right if kind is left else left
                reason += (
                    f": write {part.value:g}, not {part.value:g}%"
                    if other.unit != FIELDS["close"]
                    else f": take the percentage of something, as in {100 + part.value:g}% * close"
                )
                raise self.fault(reason, part)
        raise self.fault(reason, node.parts[1])

    def _compare(self, node: Node) -> Kind:
        if any(is_symbol(part) for part in node.parts):
            return self._texts(node)
        left, right = (self.of(part) for part in node.parts)
        if left.type == "text" or right.type == "text":
            return self._texts(node)
        for part in node.parts:
            self._expect(part, "number", f"{node.kind!r} compares numbers")
        self._same(node, left, right, "compare")
        for kind, other, part in ((left, right, node.parts[1]), (right, left, node.parts[0])):
            if kind.unit == RATIO and kind.constant is None and other.unit is None:
                self._share(part, other.constant, node)
        return CONDITION

    def _share(self, part: Node, constant: float | None, node: Node) -> None:
        """Note that a change above 3 is one of more than 300 %."""
        call = next((p for p in node.parts if p.kind == "call"), None)
        shares = ("change", "return", "percentile")
        if constant is not None and abs(constant) > 1 and call is not None and call.value[0] in shares:
            self.notes.append(
                f"character {part.at + 1}: {constant:g} is {constant:.0%} here; write {constant:g}% "
                f"for {constant / 100:g}"
            )

    def _texts(self, node: Node) -> Kind:
        if node.kind not in ("==", "!="):
            raise self.fault(f"{node.kind!r} does not compare texts: write == or !=", node)
        for part in node.parts:
            if part.kind not in ("text", "name"):
                raise self.fault("a symbol is a text, as in symbol == 'AAPL'", part)
        if not any(is_symbol(part) for part in node.parts):
            raise self.fault("a text compares with symbol, as in symbol == 'AAPL'", node)
        return CONDITION

    def _among(self, node: Node) -> Kind:
        of, *items = node.parts
        kind = self.of(of)
        if kind.type == "text":
            if not is_symbol(of):
                raise self.fault("look for the symbol: symbol in ('AAPL', 'MSFT')", of)
            for item in items:
                if item.kind not in ("text", "name"):
                    raise self.fault("a list of symbols holds names, as in (AAPL, 'BRK.B')", item)
            return CONDITION
        self._expect(of, "number", "'in' looks for a number or a symbol")
        for item in items:
            found = self._expect(item, "number", "the list beside a number holds numbers")
            self._same(Node("in", None, (of, item), of.at, item.end), kind, found, "compare")
        return CONDITION

    # ---- functions

    def _call(self, node: Node) -> Kind:
        name, part = node.value
        if name not in WORDS:
            raise BadExpression(
                f"no function named {name!r}.{_near(name, list(WORDS))}",
                self.text, node.at, node.at + len(name),
            )  # fmt: skip
        word = WORDS[name]
        self._part(node, name, part, word)
        if name in TWO and len(node.parts) == 2 and self.of(node.parts[1]).constant is None:
            left, right = (self._expect(p, "number", f"{name} needs numbers") for p in node.parts)
            return Kind("number", self._same(node, left, right, "compare"))
        series, said = split(self, node, word)
        self._settings(node, word, said)
        if name == "macd":
            self._fast(node, word, said)
        unit = self._series(node, name, word, series)
        return CONDITION if unit == "condition" else Kind("number", unit)  # type: ignore[arg-type]

    def _series(self, node: Node, name: str, word: Word, series: Node | None) -> Unit | str | None:
        if word.series is None:
            return word.unit
        if series is None and word.series == "":
            raise self.fault(f"{name} needs to know of what: write {usage(name)}", node)
        part = series or Node("name", word.series, (), node.at, node.end)
        if name == "lag" and self.of(part).type == "condition":
            return "condition"
        wanted = "condition" if word.condition else "number"
        kind = self._expect(part, wanted, f"{name} takes a {wanted}: {usage(name)}")
        if kind.constant is not None:
            raise self.fault(f"this never changes: {name} takes a series: {usage(name)}", part)
        if name == "sqrt":
            return tuple((what, power / 2) for what, power in kind.unit or ())
        return kind.unit if word.unit is None else word.unit

    def _part(self, node: Node, name: str, part: str, word: Word) -> None:
        if part and part not in word.parts:
            known = f"its parts are {', '.join(word.parts)}" if word.parts else "it has none"
            near = _near(part, list(word.parts))
            raise self.fault(f"{name} has no part {part!r}: {known}.{near}", node)
        if word.parts and not (part or word.whole):
            wanted = " or ".join(f"{name}(…).{p}" for p in word.parts)
            raise self.fault(f"{name} says several things: write {wanted}", node)

    def _settings(self, node: Node, word: Word, said: tuple[Node, ...]) -> None:
        name = node.value[0]
        if len(said) > len(word.settings):
            raise self.fault(f"{name} does not take so much: {usage(name)}", said[len(word.settings)])
        for setting, part in zip(word.settings, said, strict=False):
            self._setting(name, setting, part)
        for setting in word.settings[len(said) :]:
            if setting.default is None:
                raise self.fault(f"{name} needs its {setting.name}: write {usage(name)}", node)

    def _setting(self, name: str, setting: Setting, part: Node) -> None:
        kind = self._expect(part, "number", f"{setting.name} of {name} is a number: {usage(name)}")
        if kind.constant is None:
            raise self.fault(f"{setting.name} of {name} must be a fixed number: {usage(name)}", part)
        value, least = kind.constant, setting.least
        if setting.whole and (value != int(value) or not least <= value <= LONGEST_WINDOW):
            why = "a bar ahead is not known yet" if value < 0 and setting.name == "bars" else f"got {value:g}"
            raise self.fault(f"{setting.name} of {name} is a whole number of at least {least:g}: {why}", part)
        if not setting.whole and not value > least:
            raise self.fault(f"{setting.name} of {name} must be above {least:g}: got {value:g}", part)

    def _fast(self, node: Node, word: Word, said: tuple[Node, ...]) -> None:
        fast, slow = settings_of(word, said, self)[:2]
        if fast >= slow:
            raise self.fault(f"macd's fast={fast:g} must be shorter than its slow={slow:g}", node)


def is_symbol(node: Node) -> bool:
    """Whether this is the word `symbol`."""
    return bool(node.kind == "name" and node.value.lower() == "symbol")


def split(check: Check, node: Node, word: Word) -> tuple[Node | None, tuple[Node, ...]]:
    """Part what a call was given into its series (None where its default is meant) and its settings."""
    if word.series is None or not node.parts:
        return None, node.parts
    if word.series and check.of(node.parts[0]).constant is not None:
        return None, node.parts
    return node.parts[0], node.parts[1:]


def settings_of(word: Word, said: tuple[Node, ...], check: Check) -> list[float]:
    """Return every setting of a call, with the defaults of those that were not said."""
    given = [check.of(part).constant for part in said]
    told = given + [setting.default for setting in word.settings[len(said) :]]
    return [
        int(value) if setting.whole else float(value)  # type: ignore[arg-type]
        for setting, value in zip(word.settings, told, strict=True)
    ]


def _times(left: Unit, right: Unit, sign: float) -> Unit:
    powers = dict(left)
    for what, power in right:
        powers[what] = powers.get(what, 0.0) + sign * power
    return tuple(sorted((what, power) for what, power in powers.items() if power))


def _named(unit: Unit) -> str:
    if unit in NAMES:
        return NAMES[unit]
    return "a number in " + " ".join(what if power == 1 else f"{what}^{power:g}" for what, power in unit)


def _near(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
