"""The simulated network of the folder shared/oracle beside the repository."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

_SHARED = Path(__file__).resolve().parents[3] / "shared"


def oracle_or_skip() -> ModuleType:
    """Return the package; the test is skipped where it is absent."""
    if not (_SHARED / "oracle").is_dir():
        pytest.skip("the simulated network (folder shared/oracle beside the repository) is absent")
    sys.path.insert(0, str(_SHARED))
    try:
        import oracle.metrics
    finally:
        sys.path.remove(str(_SHARED))
    return oracle
