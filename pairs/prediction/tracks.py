"""Scene points by the pixels that show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Tracks:
    """Observations of points that were found in the photos themselves, whatever depth maps say.

    Views go by name, so that predictions may lose views or be numbered anew.
    """

    names: tuple[str, ...]
    """Views."""
    view: np.ndarray  # (O,) int, index into `names`
    point: np.ndarray  # (O,) int, equal numbers are one point
    xy: np.ndarray  # (O, 2), pixels of the view's grid

    def __post_init__(self) -> None:
        count = len(self.view)
        if self.point.shape != (count,) or self.xy.shape != (count, 2):
            raise ValueError(
                f"tracks need view (O,), point (O,) and xy (O, 2), not {self.view.shape}, "
                f"{self.point.shape} and {self.xy.shape}"
            )
