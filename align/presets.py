"""Named settings of the whole alignment: data, not branches."""

from __future__ import annotations

from dataclasses import dataclass

from align.sparse.gather import Reading
from align.sparse.presets import ALIGNER_FUNCTION, MAST3R, MAST3R_2024, AdamOptions, Intrinsics, Stage
from align.sparse.refinement import GaussNewton
from align.sparse.robust import Gamma
from masks.errors import UserError


@dataclass(frozen=True, slots=True)
class Preset:
    """How predictions become a scene."""

    cold: AdamOptions | GaussNewton
    """The solver when the backend knows no cameras."""
    warm: AdamOptions | None = None
    """The descent from the backend's own cameras, whose K is held; none: such cameras are ignored, as the reference must."""
    whole_pixels: bool = True
    """Round matches to pixels and drop doubles, as networks hand them on."""
    clean_tolerance: float = 0.001
    """A point is in front of another view's surface when it is nearer by more than this share of the depth."""

    def reading(self, solver: AdamOptions | GaussNewton) -> Reading:
        """Return how predictions are read for one of the solvers."""
        if isinstance(solver, GaussNewton):
            return Reading(whole_pixels=self.whole_pixels)
        return Reading(solver.average, solver.subsample, self.whole_pixels)


POINTLOOM = Preset(
    cold=GaussNewton(),
    warm=AdamOptions(
        coarse=Stage(0.0, 0, Gamma(1.5)),
        # So small a rate that nothing is shaken out of place: the backend has already adjusted its cameras to its features.
        fine=Stage(0.00005, 100, Gamma(0.5)),
        good_conf=0.0,
        tree="mst",
        intrinsics=Intrinsics(free_focal=False, free_principal_point=False, limited=False),
        average="object",
    ),
    whole_pixels=False,
    clean_tolerance=0.01,
)
"""Ours: from averaged pair poses by least squares, or from the backend's cameras; pivots on the object, principal point fixed."""

PRESETS = {
    "pointloom": POINTLOOM,
    "mast3r": Preset(MAST3R),
    "mast3r-function": Preset(ALIGNER_FUNCTION),
    "mast3r-2024": Preset(MAST3R_2024),
}
"""By the names that the command line takes: ours, the reference's demo, its aligner function's defaults, its first public version."""


def preset_named(name: str) -> Preset:
    """Return the preset of that name. Raises `UserError` listing the names when there is none."""
    if name not in PRESETS:
        raise UserError(f"--preset {name}: unknown. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]
