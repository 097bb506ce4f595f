"""Poses of photos in a known scene, and how they are judged (arXiv:2312.14132, section 4.1)."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from golden_case import Case, Comparison
from torch import Tensor

from align.evaluation.localisation import (
    LocalisationErrors,
    localisation_errors,
    read_poses,
    summary_line,
    write_poses,
)
from align.localise.absolute_pose import PoseOptions, QueryCamera, absolute_pose
from align.localise.scene_points import SeenPoints, carried, marks_on_grid
from golden_kinds.dense_check import check, rule_of

__all__ = ["FAMILY", "HANDLERS", "check"]

FAMILY = "dense"
_FAILURE = "1.0 -0.0 -0.0 -0.0 0.0 0.0 0.0"


def run_pnp(case: Case) -> Comparison:
    """Compare the one estimator with every published mode; the stored poses are camera to world."""
    options, K = case.options, case.inputs["K"].numpy()
    # The published one guesses a size that is not stated from the principal point.
    width, height = options.get("img_size") or (int(2 * centre) for centre in K[:2, 2])
    assert options["mode"] in ("cv2", "poselib", "pycolmap")
    share = options.get("reprojection_error_diag_ratio")
    found = absolute_pose(
        case.inputs["pts3D"].numpy(),
        case.inputs["pts2D"].numpy(),
        QueryCamera(K, (width, height), options.get("distortion")),
        PoseOptions(error_share=share) if share else PoseOptions(error_px=options["reprojection_error"]),
    )
    result, free = {"success": torch.tensor([found is not None])}, {}
    if found is not None:
        pose = torch.from_numpy(np.linalg.inv(found.cam_from_world))
        result |= {"pose": pose, "truth": pose}
    else:
        free = {"truth": "nothing was found that could be near it"}
    return Comparison(result, case.outputs, free)


def pose_error(case: Case) -> dict[str, Tensor]:
    found, true = (np.linalg.inv(case.inputs[name].numpy()) for name in ("pred", "gt"))
    errors = localisation_errors([*found], true)
    failed = localisation_errors([*found, None], np.concatenate([true, true[:1]]))
    _require_summary(case, failed)
    _require_files(case, [found[0], None, found[2]])
    return {"translation": torch.tensor(errors.centre), "degrees": torch.tensor(errors.degrees)}


def _require_summary(case: Case, errors: LocalisationErrors) -> None:
    label, _, rest = case.options["summary"].partition(": ")
    ours = summary_line(label, errors).partition(": ")[2]
    # The medians are printed to the last bit, which another order of sums changes.
    for part, stored in zip(ours.replace(",", " ").split(), rest.replace(",", " ").split(), strict=True):
        (name, _, number), (stored_name, _, stored_number) = (each.rpartition("=") for each in (part, stored))
        assert name == stored_name
        assert _close(case, number, stored_number) if name else part == stored, (part, stored)


def _require_files(case: Case, poses: list[np.ndarray | None]) -> None:
    for text, base_names in (("results_txt", False), ("ltvl_txt", True)):
        stored = case.options[text].splitlines()
        names = [line.split()[0] for line in case.options["results_txt"].splitlines()]
        with TemporaryDirectory() as folder:
            path = Path(folder) / "poses.txt"
            write_poses(path, dict(zip(names, poses)), base_names=base_names)
            written = path.read_text().splitlines()
            assert len(read_poses(path)) == len(poses)
        for line, expected, pose in zip(written, stored, poses, strict=True):
            (name, *numbers), (stored_name, *stored_numbers) = line.split(), expected.split()
            assert name == stored_name
            assert pose is not None or numbers == stored_numbers == _FAILURE.split()
            for ours, theirs in zip(numbers, stored_numbers, strict=True):
                assert _close(case, ours, theirs), (line, expected)


def _close(case: Case, ours: str, theirs: str) -> bool:
    rule = rule_of(case, "degrees", torch.float64)
    return bool(np.isclose(float(ours), float(theirs), rule["rtol"], rule["atol"]))


def rescale_points(case: Case) -> dict[str, Tensor]:
    seen = SeenPoints(case.inputs["pts2d"].numpy(), case.inputs["pts3d"].numpy())
    matrix, size = case.inputs["to_resize"].numpy(), (case.options["HR"], case.options["WR"])
    # The reference hands on positions whose first pixel centre is at (1/2, 1/2).
    positions = carried(matrix, seen.xy)
    pixels = np.rint(positions)
    inside = np.all((pixels >= 0) & (pixels < size[::-1]), axis=1)
    marks = marks_on_grid(seen, matrix, size)
    found = {
        "pts2d_rescaled": positions + 0.5,
        "pts2d_rescaled_int": pixels[inside].astype(np.int64),
        "valid_yx": np.argwhere(marks > 0),
        "valid_pts3d": seen.points[marks[marks > 0] - 1],
    }
    return {name: torch.from_numpy(array) for name, array in found.items()}


HANDLERS = {"run_pnp": run_pnp, "pose_error": pose_error, "rescale_points": rescale_points}
