"""One file a group of kinds. Each names its `FAMILY` and its `HANDLERS` (kind to function); `check` replaces
the sparse tolerances.

A handler takes a `Case` and returns the outputs by their stored names, or a `Comparison`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping

from golden_case import Case, Comparison, Handler, check_tolerances


def handlers() -> Mapping[tuple[str, str], tuple[Handler, Callable[[Case, Comparison], None]]]:
    """Return handler and comparison of every family and kind that somebody has written."""
    found = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for kind, handler in getattr(loaded, "HANDLERS", {}).items():
            found[loaded.FAMILY, kind] = (handler, getattr(loaded, "check", check_tolerances))
    return found
