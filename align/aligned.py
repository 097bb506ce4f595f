"""What a solver hands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from align.sparse.densify import DenseView
from masks.notice import Notice
from pairs.views.cameras import Cameras


@dataclass(frozen=True, slots=True)
class Aligned:
    """Cameras and depth of all views in one world, and what the solver says of them."""

    cameras: Cameras
    """K in grid pixels."""
    dense: tuple[DenseView, ...]
    notices: tuple[Notice, ...]
    figures: Mapping[str, Any]
    """Numbers for the report, ready for JSON."""
