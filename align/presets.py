"""Named settings of the whole alignment: data, not branches."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from align.bundle.options import BundleOptions
from align.depth_maps.clean import CleanOptions
from align.measurements.gathered import ReadingOptions
from align.sparse.options import ALIGNER_FUNCTION, MAST3R, MAST3R_2024, Intrinsics, SparseOptions, Stage
from align.sparse.robust import Gamma
from masks.errors import UserError


@dataclass(frozen=True, slots=True)
class Preset:
    """How predictions become a scene."""

    from_scratch: SparseOptions | BundleOptions
    """The solver when the backend knows no cameras."""
    from_adjusted: SparseOptions | None = None
    """The descent from cameras that the backend has adjusted to matches, whose K is fixed; none: they are
    taken as estimates."""
    from_estimated: BundleOptions | None = None
    """The solver that starts from cameras that the backend estimates, and believes them a little; none: they
    are ignored, as the reference must."""
    whole_pixels: bool = True
    """Round matches to pixels and drop doubles, as networks hand them on."""
    clean: CleanOptions = field(default_factory=CleanOptions)
    """How points that other views contradict are found."""

    def reading(self, solver: SparseOptions | BundleOptions) -> ReadingOptions:
        """Return how predictions are read for one of the solvers."""
        if isinstance(solver, BundleOptions):
            return ReadingOptions(whole_pixels=self.whole_pixels)
        return ReadingOptions(solver.average, solver.subsample, self.whole_pixels)


POINTLOOM = Preset(
    from_scratch=BundleOptions(),
    # Networks of groups see cameras to a degree or two and focals to a tenth: belief in them must not
    # outweigh a few good matches.
    from_estimated=BundleOptions(
        known_rotation_sigma_deg=5.0,
        known_centre_sigma=0.1,
        log_focal_sigma=0.1,
        fixed_poses_log_focal_sigma=0.1,
    ),
    from_adjusted=SparseOptions(
        coarse=Stage(0.0, 0, Gamma(1.5)),
        # So small a rate that nothing is shaken out of place: the backend has already adjusted its cameras to
        # its features.
        fine=Stage(0.00005, 100, Gamma(0.5)),
        good_conf=0.0,
        tree="mst",
        intrinsics=Intrinsics(free_focal=False, free_principal_point=False, limited=False),
        average="object",
    ),
    whole_pixels=False,
    # Of a ring of 256 simulated views, points right within 1 % and wrong by more than 5 % that are kept: 57
    # and 16 % with 64 views well spread, 21 and 14 % with all, 27 and 85 % with the 64 nearest
    # (benchmarks/many_views.py). Sets of up to 65 views are compared wholly.
    clean=CleanOptions(tolerance=0.01, most_views=64),
)
"""Ours: from averaged pair poses by least squares, or from the backend's cameras; pivots on the object,
principal point fixed."""

PRESETS = {
    "pointloom": POINTLOOM,
    "mast3r": Preset(MAST3R),
    "mast3r-function": Preset(ALIGNER_FUNCTION),
    "mast3r-2024": Preset(MAST3R_2024),
}
"""By the names that the command line takes: ours, the reference's demo, its aligner function's defaults, its
first public version."""


def with_fixed_poses(preset: Preset) -> Preset:
    """Return a preset in which known poses stay to the bit, the user's and the backend's. Raises `UserError`
    for the reference's, which have none.
    """
    if not isinstance(preset.from_scratch, BundleOptions) or preset.from_estimated is None:
        raise UserError(
            "`poses=frozen`: the reference's presets start without poses. Use `preset=pointloom`."
        )
    cold, estimated = (
        replace(solver, fix_known_poses=True) for solver in (preset.from_scratch, preset.from_estimated)
    )
    return replace(preset, from_scratch=cold, from_adjusted=None, from_estimated=estimated)


def preset_named(name: str) -> Preset:
    """Return the preset of that name. Raises `UserError` listing the names when there is none."""
    if name not in PRESETS:
        raise UserError(f"`preset={name}`: unknown. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]
