"""Named settings of the whole alignment: data, not branches."""

from __future__ import annotations

from dataclasses import dataclass, replace

from align.sparse.presets import ALIGNER_FUNCTION, MAST3R, MAST3R_2024, AdamOptions, Intrinsics, Priors, Stage
from align.sparse.robust import Gamma
from masks.errors import UserError


@dataclass(frozen=True, slots=True)
class Preset:
    """How predictions become a scene."""

    cold: AdamOptions
    """The descent when nothing but the pair predictions is known."""
    warm: AdamOptions | None = None
    """The descent from the backend's own cameras, whose K is held; none: such cameras are ignored, as the reference must."""
    chained_start: bool = False
    """Start a cold descent from pair poses chained along the spanning tree; else all views start at one place, as in the reference."""
    whole_pixels: bool = True
    """Round matches to pixels and drop doubles, as networks hand them on."""
    clean_tolerance: float = 0.001
    """A point is in front of another view's surface when it is nearer by more than this share of the depth."""


_POINTLOOM = AdamOptions(
    coarse=Stage(0.02, 200, Gamma(1.5)),
    fine=Stage(0.01, 300, Gamma(0.5)),
    good_conf=0.0,
    tree="mst",
    intrinsics=Intrinsics(free_principal_point=False, share="all", limited=False),
    priors=Priors(log_focal_sigma=0.005),
    average="object",
)

POINTLOOM = Preset(
    cold=_POINTLOOM,
    warm=replace(
        _POINTLOOM,
        coarse=Stage(0.0, 0, Gamma(1.5)),
        fine=Stage(0.00005, 100, Gamma(0.5)),
        intrinsics=Intrinsics(free_focal=False, free_principal_point=False, limited=False),
        priors=Priors(),
    ),
    chained_start=True,
    whole_pixels=False,
    clean_tolerance=0.01,
)
"""Ours: pivots on the object, one focal softly bound to the pointmaps' own (held where the backend knows it), principal point fixed."""

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
