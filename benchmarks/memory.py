"""How much memory a process holds, and held at most; and processes that hold nothing yet."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


def memory_mb(field: str) -> float:
    """Return a figure of this process's memory as the Linux kernel tells it; NaN elsewhere."""
    status = Path("/proc/self/status")
    found = re.search(rf"{field}:\s+(\d+)", status.read_text()) if status.is_file() else None
    return int(found.group(1)) / 1024 if found else float("nan")


def forget_peak() -> None:
    """Hand freed memory back, and make the kernel count the largest resident memory from here on. Does
    nothing but on Linux.
    """
    if Path("/proc/self/clear_refs").exists():
        # What gathering has freed would hide what the solver takes.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def in_a_fresh_process(
    measure: Callable[_Given, _Found], *args: _Given.args, **kwargs: _Given.kwargs
) -> _Found:
    """Return what a function of a module returns in a process of its own, whose memory nobody has used."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *args, **kwargs).result()
