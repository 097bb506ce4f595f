"""The pose figures that multi-view networks are published with (arXiv:2503.11651, section 4).

They differ from `align.evaluation.camera_errors` in small ways: the sign of a translation does not count,
pairs without a baseline do, and the area under the curve is that of a histogram. For parity with
those figures; no command uses it.
"""

from __future__ import annotations

import numpy as np

_LEAST_SINE2 = 1e-15
"""Squared sines below it count as it: arc cosines of rounded ones would be no numbers."""
_FAILED_RAD = 1e6  # error of what is no number


def pair_errors_deg(
    cam_from_world: np.ndarray, true_cam_from_world: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for all pairs a < b, the errors of relative rotation and of the line of relative translation in
    degrees (E,), of poses (V, 4, 4).
    """
    a, b = np.triu_indices(len(cam_from_world), 1)
    found, true = (poses[a] @ np.linalg.inv(poses[b]) for poses in (cam_from_world, true_cam_from_world))
    return np.rad2deg(_rotation_errors(found[:, :3, :3], true[:, :3, :3])), _line_errors_deg(
        found[:, :3, 3], true[:, :3, 3]
    )


def _rotation_errors(R: np.ndarray, R_true: np.ndarray) -> np.ndarray:
    # For unit quaternions q and p, 4 (q·p)² - 1 is the trace of the rotation between them.
    dot2 = (np.einsum("eij,eij->e", R, R_true) + 1) / 4
    sine2 = np.clip(1 - dot2, _LEAST_SINE2, 1)
    return np.arccos(1 - 2 * sine2)


def _line_errors_deg(t: np.ndarray, t_true: np.ndarray) -> np.ndarray:
    """Return the angles between lines; they are at most 90 degrees."""
    found, true = (v / (np.linalg.norm(v, axis=-1, keepdims=True) + _LEAST_SINE2) for v in (t, t_true))
    cosine2 = (found * true).sum(-1) ** 2
    angle = np.arccos(np.sqrt(1 - np.clip(1 - cosine2, _LEAST_SINE2, 1)))
    angle = np.rad2deg(np.where(np.isfinite(angle), angle, _FAILED_RAD))
    return np.minimum(angle, np.abs(180 - angle))


def pose_auc(rotation_deg: np.ndarray, translation_deg: np.ndarray, threshold_deg: int) -> float:
    """Return the area (0 to 1) under the share of pairs (E,) whose two errors are below a threshold, from 0
    to `threshold_deg` by whole degrees.
    """
    worse = np.maximum(rotation_deg, translation_deg)
    counts, _ = np.histogram(worse, bins=np.arange(threshold_deg + 1))
    return float(np.mean(np.cumsum(counts / len(worse)))) if len(worse) else 0.0
