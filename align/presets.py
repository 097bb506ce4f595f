"""Named settings of the whole alignment: data, not branches."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from align.aligned import Aligner
from align.bundle.options import BundleOptions
from align.dense.options import DenseOptions, TwoViewOptions
from align.depth_maps.clean import CleanOptions
from align.depth_maps.matched_depth import MatchedDepth
from align.depth_maps.signed_distance import SignedDistance
from align.depth_maps.source import DepthSource
from align.measurements.known_cameras import PosePrior
from align.sparse.options import ALIGNER_FUNCTION, MAST3R, MAST3R_2024
from masks.errors import UserError


@dataclass(frozen=True, slots=True)
class Preset:
    """How predictions become a scene."""

    aligner: Aligner
    """What aligns them: from what the pairs say, and from poses and K that the user states or the backend has
    fitted to matches."""
    from_estimated: Aligner | None = None
    """What aligns them where a network estimates the cameras, and the user states no poses; none: the same
    aligner."""
    clean: CleanOptions = field(default_factory=CleanOptions)
    """How points that other views contradict are found."""
    depth: DepthSource | None = None
    """Where depths come from once the cameras stand; none: they are the aligner's."""


# Of a ring of 256 simulated views, points right within 1 % and wrong by more than 5 % that are kept: 57
# and 16 % with 64 views well spread, 21 and 14 % with all, 27 and 85 % with the 64 nearest
# (benchmarks/many_views.py). Sets of up to 65 views are compared wholly.
_CLEAN = CleanOptions(tolerance=0.01, most_views=64)

POINTLOOM = Preset(
    aligner=BundleOptions(),
    # Networks of groups see cameras to a degree or two and focals to a tenth: belief in them must not
    # outweigh a few good matches.
    from_estimated=BundleOptions(
        pose_prior=PosePrior(rotation_sigma_deg=5.0, centre_sigma=0.1),
        log_focal_sigma=0.1,
        fixed_poses_log_focal_sigma=0.1,
    ),
    clean=_CLEAN,
)
"""Ours: from averaged pair poses by least squares, or from known cameras; principal point fixed."""

PRESETS = {
    "pointloom": POINTLOOM,
    "mast3r": Preset(MAST3R),
    "mast3r-function": Preset(ALIGNER_FUNCTION),
    "mast3r-2024": Preset(MAST3R_2024),
    "dense": Preset(DenseOptions(solver="least-squares", cut_out_motion=True), clean=_CLEAN),
    "dust3r": Preset(DenseOptions()),
    "dust3r-demo": Preset(DenseOptions(schedule="linear")),
    "dust3r-modular": Preset(DenseOptions(mean="pairs")),
    "dust3r-pair": Preset(TwoViewOptions()),
}
"""By the names that the command line takes: ours; MASt3R's demo, its aligner function's defaults, its first
public version; DUSt3R's losses by least squares; its aligner with its own schedule and that of its demo, the
modular one, and what its demo shows of two views."""


ALIGNERS = {"bundle": "pointloom", "sparse": "mast3r", "dense": "dense"}
"""The preset that stands for an aligner, by the aligner's name."""

DEPTHS: dict[str, DepthSource | None] = {
    "aligned": None,
    "tsdf": SignedDistance(),
    "matches": MatchedDepth(),
}
"""By the names that the command line takes: the aligner's, moved to where the views agree, from matches."""


def has_option(preset: Preset, name: str) -> bool:
    """Tell whether the aligner of a preset has an option of that name."""
    return name in {option.name for option in fields(preset.aligner)}


def presets_with(*options: str) -> str:
    """Return the names of the presets whose aligners have all these options, in words."""
    named = [name for name, preset in PRESETS.items() if all(has_option(preset, each) for each in options)]
    return " or ".join(named) or "none"


def with_options(preset: Preset, **options: Any) -> Preset:
    """Return the preset whose aligner has these options, by the names of its fields. Raises `UserError`
    naming those that it does not have.
    """
    unknown = [name for name in options if not has_option(preset, name)]
    if unknown:
        raise UserError(
            f"{', '.join(unknown)}: the aligner of this preset has no such option. Use "
            f"`preset={presets_with(*unknown)}`."
        )
    return replace(preset, aligner=replace(preset.aligner, **options))


def without_circles(preset: Preset) -> Preset:
    """Return a preset that holds no poses on a turntable's circle. Raises `UserError` where its aligner never
    does.
    """
    chosen, estimated = with_options(preset, turntable="off"), preset.from_estimated
    if estimated is not None:
        estimated = with_options(replace(preset, aligner=estimated), turntable="off").aligner
    return replace(chosen, from_estimated=estimated)


def with_fixed_poses(preset: Preset) -> Preset:
    """Return a preset in which known poses stay to the bit, the user's and the backend's. Raises `UserError`
    where the aligner starts from none.
    """
    if preset.aligner.pose_prior is None:
        hearing = " or ".join(name for name, each in PRESETS.items() if each.aligner.pose_prior is not None)
        raise UserError(
            f"`poses=frozen`: the aligner of this preset starts without poses. Use `preset={hearing}`."
        )
    estimated = preset.from_estimated
    return replace(
        preset,
        aligner=preset.aligner.with_fixed_poses(),
        from_estimated=None if estimated is None else estimated.with_fixed_poses(),
    )


def preset_named(name: str) -> Preset:
    """Return the preset of that name. Raises `UserError` listing the names when there is none."""
    if name not in PRESETS:
        raise UserError(f"`preset={name}`: unknown. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def preset_for(aligner: str | None, name: str) -> str:
    """Return the name of the preset that an aligner and a preset, or "auto", together ask for. Raises
    `UserError` where the preset is another aligner's.
    """
    if aligner is None:
        return "pointloom" if name == "auto" else name
    if name == "auto":
        return ALIGNERS[aligner]
    own = type(PRESETS[ALIGNERS[aligner]].aligner)
    if not isinstance(preset_named(name).aligner, own):
        fitting = " or ".join(each for each, preset in PRESETS.items() if isinstance(preset.aligner, own))
        raise UserError(f"`preset={name}`: is not of the aligner {aligner}. Use `preset={fitting}`.")
    return name
