"""Warm kernels: a fork server has the imports and the JIT done; each kernel is a fresh fork of it.

    with serving(config) as kernels:
        ...  # whoever starts kernel `tapebook` with `kernels.environment` gets a warm one

A fork has a process, memory, environment, folder and seed of its own, so nothing that a run does is
seen by the next. If no fork server answers, the kernel starts cold and says so.
"""

from __future__ import annotations

from tapebook.runs.warm.client import SOCKET
from tapebook.runs.warm.fork import DEFAULTS
from tapebook.runs.warm.spec import NAME, install, installed, remove
from tapebook.runs.warm.start import Kernels, found, serving

__all__ = ["DEFAULTS", "NAME", "SOCKET", "Kernels", "found", "install", "installed", "remove", "serving"]
