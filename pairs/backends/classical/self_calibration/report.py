"""What the report says of lenses and principal points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from masks.lens import Lens
from masks.notice import Notice, first_few, info, warning
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.self_calibration.camera_choice import (
    CENTRE_GAIN,
    LENS_GAIN,
    CameraChoice,
    displacement_at_corner,
    displacement_px,
)
from pairs.backends.classical.sfm.attempts import Evidence
from pairs.backends.classical.sfm.mapper import MapperModel
from pairs.backends.classical.sfm.working_image import working_map


def lens_notices(
    evidence: Evidence, model: MapperModel, choices: Mapping[int, CameraChoice], options: SolveOptions
) -> tuple[Notice, ...]:
    """Return what was chosen of each camera and why; lengths in pixels of the photos."""
    notices = []
    for choice in choices.values():
        first = choice.fitted.positions[0]
        to_working = working_map(evidence.views[model.placed[first]], options.working_longest)
        names = [evidence.views[model.placed[k]].name for k in choice.fitted.positions]
        whose = f"{first_few(names)}: " if len(choices) > 1 else ""
        lens = _lens_in_words(evidence, model, choice, to_working.source_size, to_working.scale[0])
        notices.append(info("lens", f"{whose}{lens} {_centre_in_words(choice, to_working.scale[0])}"))
    return tuple(notices)


def dropped_notice(reason: str) -> Notice:
    """Return the words for cameras that the acceptance test refused."""
    return warning(
        "lens",
        f"a lens or a principal point explained the matches better, but not the scene ({reason}): none "
        "assumed. If the photos are distorted, state the calibration.",
    )


def _lens_in_words(
    evidence: Evidence, model: MapperModel, choice: CameraChoice, size: tuple[int, int], scale: float
) -> str:
    first = choice.fitted.positions[0]
    lens = model.lenses[first] if model.lenses else None
    if lens is None:
        why = choice.lens_refused or f"{LENS_GAIN:.0%} is asked"
        return (
            f"small or not visible, none assumed (it would explain {choice.lens_gain:.1%} of the squared "
            f"error; {why})."
        )
    observed = np.concatenate(
        [
            evidence.xy[model.placed[k]][model.observed_feature[model.observed_by == k]]
            for k in choice.fitted.positions
        ]
    )
    K = model.cameras.K[first]
    edge = displacement_px(lens, K, observed) / scale
    working_size = tuple(round(side * scale) for side in size)
    corner = displacement_at_corner(lens, K, (working_size[0], working_size[1]))
    return (
        f"{_coefficients(lens, choice)} solved (explains {choice.lens_gain:.1%} of the squared error); it "
        f"moves the picture's corner by {corner:+.1%}, and what was observed by {edge:.1f} px at most."
    )


def _coefficients(lens: Lens, choice: CameraChoice) -> str:
    stated = [
        f"k{n + 1} = {value:.4f} ± {sigma:.4f}"
        for n, (value, sigma) in enumerate(zip(lens.coefficients, choice.fitted.sigma_lens))
    ]
    return ", ".join(stated)


def _centre_in_words(choice: CameraChoice, scale: float) -> str:
    gain = f"{choice.centre_gain:.1%} of the squared error"
    if not choice.free.centre:
        why = choice.centre_refused or f"{CENTRE_GAIN:.1%} is asked"
        return f"The principal point is taken in the middle (free it would explain {gain}; {why})."
    # The half pixel of the working picture belongs to its scale.
    cx, cy = ((c + 0.5) / scale - 0.5 for c in choice.fitted.centre)
    sigma = max(choice.fitted.sigma_centre) / scale
    return f"The principal point is solved: {cx:.1f}, {cy:.1f} ± {sigma:.1f} px (explains {gain})."
