"""An expression that cannot be read: what is wrong, and a caret below the very character."""

from __future__ import annotations

from tapebook.errors import BadInput

WIDE = 100
"""Characters of a long expression that are shown around the fault."""


class BadExpression(BadInput):
    """An expression of the screening language that means nothing.

    `at` is the character at which it goes wrong, counted from 0, and `length` how many are meant; `reason` is
    the message without the picture.
    """

    def __init__(self, reason: str, text: str, at: int, end: int | None = None) -> None:
        at = max(0, min(at, len(text)))
        self.reason, self.text, self.at = reason, text, at
        self.length = max(1, (at + 1 if end is None else end) - at)
        super().__init__(f"{reason} (character {at + 1})\n{self._picture()}")

    def _picture(self) -> str:
        """Write the line with the fault, and carets below it."""
        begin = self.text.rfind("\n", 0, self.at) + 1
        stop = self.text.find("\n", self.at)
        line, at = self.text[begin : len(self.text) if stop < 0 else stop], self.at - begin
        first = max(0, at - WIDE // 2)
        shown = "".join(c if c.isprintable() else " " for c in line[first : first + WIDE])
        at -= first
        carets = "^" * max(1, min(self.length, len(shown) - at))
        return f"  {shown}\n  {' ' * at}{carets}"
