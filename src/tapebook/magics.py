"""`%load_ext tapebook`: `%%tape` asks the lake in SQL, `%backtest` trades a strategy, both with completion.

%%tape --out closes --asof 12
SELECT ts, close FROM adjusted WHERE symbol = 'AAPL' AND ts >= $since

%backtest sma_cross AAPL MSFT fast=10 slow=50 stop_loss=0.1 start=2005
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Literal

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class

from tapebook.desk import Desk
from tapebook.errors import BadInput, TapebookError
from tapebook.magics_complete import Completer

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tapebook.strategy.backtest.backtest import Backtest

SPAN = ("start", "end", "freq", "asof")
"""Words of `%backtest` that say which bars, not how they are traded."""
_OPTION = re.compile(
    r"--?(?:(?P<flag>polars)|(?P<name>out|o|asof)[ =]+(?P<value>'[^']*'|\"[^\"]*\"|\S+))(?:\s+|$)"
)
_OUT = re.compile(r"(?:^|\s)(?:--out|-o)[ =]+(?P<value>\S+)")
_BOUND = re.compile(r"\$([A-Za-z_]\w*)")
_QUOTED = re.compile(r"'(?:[^']|'')*'|--[^\n]*")


def load(shell: InteractiveShell) -> None:
    """Give an IPython shell the magics and their completion."""
    magics = TapeMagics(shell)
    shell.register_magics(magics)
    matcher = Completer(magics.desk).matcher()
    own = shell.Completer.custom_matchers
    own[:] = [known for known in own if known.__name__ != matcher.__name__] + [matcher]


@magics_class
class TapeMagics(Magics):
    """The magics of one shell; they use its variable `desk`, or open the desk of this folder."""

    _opened: Desk | None = None

    @property
    def _names(self) -> dict[str, Any]:
        """The notebook's variables."""
        return {} if self.shell is None else self.shell.user_ns

    def desk(self) -> Desk:
        """Return the notebook's own `desk`, or one opened for the magics."""
        own = self._names.get("desk")
        if isinstance(own, Desk):
            return own
        if self._opened is None:
            self._opened = Desk.open()
        return self._opened

    @line_cell_magic
    def tape(self, line: str, cell: str | None = None) -> Any:
        """Ask the lake in DuckDB's SQL: tables bars, adjusted, actions, instruments, quality, edits.

        %%tape [--out NAME] [--asof WHEN] [--polars]
        SELECT ts, close FROM adjusted WHERE symbol = 'AAPL' AND ts >= $since

        `--out` keeps the table under a name and shows nothing; `--asof` is a snapshot's number or a time:
        what the lake held then. `$since` is a variable of the notebook. `%tape` takes it all on one line.
        """
        said, rest = _options(line)
        query = "\n".join(part for part in (rest, (cell or "").strip()) if part)
        if not query:
            raise UsageError("%tape asks what? Such as: %tape SELECT count(*) FROM bars")
        out: Literal["pandas", "polars"] = "polars" if "polars" in said else "pandas"
        with _plainly():
            table = self.desk().sql(query, out=out, asof=said.get("asof"), parameters=self._bound(query))
        return self._kept(said.get("out"), table)

    @line_magic
    def backtest(self, line: str) -> Any:
        """Trade a strategy on past bars: %backtest STRATEGY [SYMBOL…] [name=value…] [--out NAME].

        Names are the strategy's parameters, the rules (fees=, stop_loss=, size=, …), start=, end=, freq=,
        asof=, and benchmark=. Without symbols: all of the lake.
        """
        words = shlex.split(_OUT.sub(" ", line))
        out = named.group("value") if (named := _OUT.search(line)) else None
        if not words or "=" in words[0]:
            raise UsageError("%backtest which strategy? Such as: %backtest sma_cross AAPL fast=10 slow=50")
        with _plainly():
            return self._kept(out, self._traded(words[0], words[1:]))

    def _traded(self, name: str, words: list[str]) -> Backtest:
        from tapebook.strategy import Rules
        from tapebook.strategy.rules import divided

        symbols = [s for word in words if "=" not in word for s in word.split(",") if s]
        said = _settings([word for word in words if "=" in word])
        span: dict[str, Any] = {n: said.pop(n) for n in SPAN if n in said}
        benchmark = said.pop("benchmark", None)
        desk = self.desk()
        found = desk.strategy(name)
        params, ruled = divided(found.name, found.parameters, said)
        rules = Rules.parse(ruled)
        rules = (found.rules or Rules()).changed(**{rule: getattr(rules, rule) for rule in ruled})
        bars = desk.bars(symbols or None, **span)
        return desk.backtest(found, bars, rules=rules, benchmark=benchmark, **found.parse(params))

    def _bound(self, query: str) -> dict[str, Any]:
        """Values of the notebook's variables that the query names."""
        names = dict.fromkeys(_BOUND.findall(_QUOTED.sub("", query)))
        for name in names:
            if name not in self._names:
                raise BadInput(f"the query asks for ${name}, and the notebook has no variable {name}")
        return {name: self._names[name] for name in names}

    def _kept(self, name: str | None, value: Any) -> Any:
        if name is None:
            return value
        if not name.isidentifier():
            raise UsageError(f"--out is {name!r}: expected a variable's name, such as closes")
        self._names[name] = value
        return None


class _plainly:  # noqa: N801
    """Say an error of ours in one line, as IPython says a wrong use of a magic."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TapebookError):
            raise UsageError(str(error)) from None


def _options(line: str) -> tuple[dict[str, str], str]:
    """Part the options that a line begins with from what comes after them."""
    said: dict[str, str] = {}
    rest = line.strip()
    while option := _OPTION.match(rest):
        name, value = option.group("flag") or option.group("name"), option.group("value") or ""
        said[{"o": "out"}.get(name, name)] = value.strip("'\"")
        rest = rest[option.end() :]
    if rest.startswith("-") and not rest.startswith("-- "):
        raise UsageError(
            f"%tape has no option {rest.split()[0]}: there are --out NAME, --asof WHEN and --polars"
        )
    return said, rest


def _settings(words: list[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name in said:
            raise BadInput(f"{name} is given twice: {said[name]!r} and {value!r}")
        said[name] = value
    return said
