"""A desk copied elsewhere, from embedded to team and back: whole, compared, and unfinished until it is both.

`place` empties and marks the target, `rows` copies the catalogue, `bars` the lake, `records` what results and
runs are made of. The source is only read.
"""

from tapebook.data.copying.desk import Copied, copy, target_of

__all__ = ["Copied", "copy", "target_of"]
