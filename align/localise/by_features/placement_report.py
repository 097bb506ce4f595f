"""What the report says of photos that were placed in a scene, and of those that were not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from align.localise.by_features.placement import SURE_LOG10_ALARMS, Placement
from align.localise.by_features.scene_matches import SceneMatches
from masks.notice import Notice, info, left_out, warning
from pairs.backends.classical.options import SolveOptions
from pairs.views.view import View

_DOUBTFUL_DEG = 1.0
"""Standard deviation of a rotation from which on the report warns."""


_FOCAL_FROM = {
    "scene": "that of its camera in the scene",
    "EXIF": "that of EXIF",
    "sought": "found from the points",
}


@dataclass(frozen=True, slots=True)
class Localised:
    """A photo with its place."""

    view: View
    matches: SceneMatches
    placement: Placement
    expected: str
    """Where its focal was expected from."""


def notices_of(each: Localised) -> list[Notice]:
    """Return what a photo's place rests on, and what is doubtful of it."""
    found, name = each.placement, each.view.name
    focal, share = found.pose.K[0, 0], found.pose.centre_sd / found.distance
    text = (
        f"placed: {found.agreeing} of {found.matched} matched features agree; standard deviation "
        f"{found.pose.rotation_sd_deg:.2g} degrees and {100 * share:.2g} % of the distance; focal "
        f"{focal:.1f} px, {_FOCAL_FROM[found.lens.source]}."
    )
    told = [info(name, text)]
    if found.lens.source != each.expected:
        told.append(
            warning(
                name,
                f"its focal, {focal:.1f} px, is not {_FOCAL_FROM[each.expected]}, with which far fewer "
                "features agree. A zoomed photo looks so; a crop off the middle is not allowed for.",
            )
        )
    if found.log10_alarms > SURE_LOG10_ALARMS:
        told.append(
            warning(
                name,
                f"only {found.agreeing} features hold its place, which may be some degrees off. Add photos "
                "between it and the scene's, or give the scene's own photos (`scene_photos`).",
            )
        )
    if not found.pose.rotation_sd_deg <= _DOUBTFUL_DEG:
        told.append(
            warning(
                name,
                f"its rotation is known to {found.pose.rotation_sd_deg:.2g} degrees only. Add photos between "
                "it and the scene's.",
            )
        )
    return told


def figures_of(each: Localised) -> dict[str, Any]:
    """Return a photo's figures for the report (docs/report.md, "Figures of views placed in a scene")."""
    found = each.placement
    numbers = {
        "features": each.matches.num_features,
        "matched": found.matched,
        "agreeing": found.agreeing,
        "log10 false alarms": found.log10_alarms,
        "reprojection error px": found.error_px,
        "sigma rotation deg": found.pose.rotation_sd_deg,
        "sigma camera centre": found.pose.centre_sd,
        "sigma share of distance": found.pose.centre_sd / found.distance,
    }
    finite = {key: number if np.isfinite(number) else None for key, number in numbers.items()}
    return {"view": each.view.name, "focal from": found.lens.source, **finite}


def refusal(view: View, matches: SceneMatches, found: Placement | None, options: SolveOptions) -> Notice:
    """Return why a photo is left out, and the remedy."""
    inside = "" if view.mask is None else " inside its mask"
    if matches.num_features < options.min_inliers:
        return left_out(
            view.name,
            f"{matches.num_features} features{inside}: too few to recognise anything by. Use a sharper or "
            "larger photo, and check its mask.",
        )
    matched, agreeing = len(np.unique(matches.feature)), found.agreeing if found is not None else 0
    return left_out(
        view.name,
        f"{matched} of its {matches.num_features} features{inside} match the scene, and only {agreeing} "
        "agree with one camera, as wrong matches may: another object, or a side that no "
        "view of the scene shows from nearby. Add photos between it and the scene's, check its mask, or give "
        "the scene's own photos (`scene_photos`).",
    )


def mirror_refusal(view: View, mirrored: int, agreeing: int) -> Notice:
    """Return that a photo is left out because its mirror image fits the scene far better."""
    return left_out(
        view.name,
        f"is a mirrored picture: {mirrored} of its features agree with one camera when it is turned over, "
        f"{agreeing} as it is. Mirror it back.",
    )
