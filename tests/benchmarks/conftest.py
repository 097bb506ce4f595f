"""Makes the benchmarks' modules, and the small scene of the aligner's tests, importable."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
for _folder in (_ROOT / "benchmarks", _ROOT / "tests" / "align" / "sparse"):
    sys.path.insert(0, str(_folder))
