"""How much memory a process holds, and held at most."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path


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
