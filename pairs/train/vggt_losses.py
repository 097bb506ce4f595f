"""The training losses of VGGT: cameras, depth, points, tracks, and their sum
(docs/training.md, "Losses of VGGT").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from masks.errors import UserError
from pairs.networks.vggt.camera_head import encode_cameras
from pairs.networks.vggt.network import Dense, VggtOutput
from pairs.networks.vggt.tracker import Tracks
from pairs.train.batch import required
from pairs.train.loss import LossValue, mean
from pairs.train.vggt_gradients import DifferenceTerm, NormalTerm, bounded, weighted, without_outliers
from pairs.train.vggt_scene import SceneTruth

_LEAST_PIXELS = 100
"""Valid pixels that the first frame of a scene needs more than, and a batch of maps at least."""
_LEAST_TRACKED = 2
"""Visible points that a batch of tracks needs more than."""


@dataclass(frozen=True, slots=True)
class CameraLoss:
    """How far the pose encodings of all iterations are from the true ones. Quaternions are compared with
    their signs.
    """

    norm: Literal["l1", "l2"] = "l1"
    """Mean of absolute differences, or of Euclidean norms of the three parts."""
    decay: float = 0.6
    """An iteration counts for so much of the next one."""
    translation_weight: float = 1.0
    rotation_weight: float = 1.0
    field_weight: float = 0.5

    def evaluate(self, encodings: Sequence[Tensor], truth: SceneTruth) -> LossValue:
        """Return the loss of encodings (B, S, 9); scenes whose first frame has few valid pixels do not count,
        and without any it is 0.
        """
        # The first frame sets world and scale: without points in it neither is known.
        counts = truth.valid[:, 0].sum((1, 2)) > _LEAST_PIXELS
        target = encode_cameras(truth.cam_from_world, truth.K, truth.size)
        parts = []
        for k, encoding in enumerate(encodings):
            # Divided by the number of iterations, not by the sum of weights, as released.
            weight = self.decay ** (len(encodings) - 1 - k) / len(encodings)
            parts.append(weight * self._stage(encoding[counts], target[counts]))
        translation, rotation, view = torch.stack(parts).sum(0)
        value = (
            self.translation_weight * translation + self.rotation_weight * rotation + self.field_weight * view
        )
        details = {"loss_camera": value, "loss_T": translation, "loss_R": rotation, "loss_FL": view}
        return LossValue(value, _logged(details))

    def _stage(self, encoding: Tensor, target: Tensor) -> Tensor:
        """Return the losses (3,) of translation, rotation and field of view."""
        differences = (encoding - target).split([3, 4, 2], dim=-1)
        if self.norm == "l1":
            return torch.stack([mean(bounded(part.abs())) for part in differences])
        return torch.stack([mean(bounded(part.norm(dim=-1))) for part in differences])


@dataclass(frozen=True, slots=True)
class DenseLoss:
    """Distance of predicted to true depth or points at the valid pixels: as it is, times the confidence, and
    from pixel to pixel.
    """

    name: Literal["depth", "point"]
    """In the logs."""
    neighbours: DifferenceTerm | NormalTerm | None = field(default_factory=DifferenceTerm)
    """What is compared between pixels; nothing when none."""
    kept_share: float | None = 0.98
    """Of the pixels' losses: the largest are dropped. None keeps all."""
    gamma: float = 1.0
    """Weight of a distance times its confidence."""
    alpha: float = 0.2
    """Reward for being sure."""

    def evaluate(self, dense: Dense, true: Tensor, valid: Tensor) -> LossValue:
        """Return the loss against true values (B, S, H, W, channels) where valid (B, S, H, W); 0 when fewer
        than 100 pixels are.

        Raises `UserError` when normals are asked for of anything but points.
        """
        if isinstance(self.neighbours, NormalTerm) and dense.values.shape[-1] != 3:
            raise UserError(
                f"{self.name}: normals need points of 3 numbers a pixel, not {dense.values.shape[-1]}. "
                "Compare differences instead."
            )
        if valid.sum() < _LEAST_PIXELS:
            # A zero that still hangs on the graph: every parameter gets a gradient, which distributed
            # training waits for.
            nothing = 0 * (dense.values.sum() + dense.conf.sum())
            return self._sum(nothing, nothing, nothing)
        true = bounded(true)
        distance = bounded((true[valid] - dense.values[valid]).norm(dim=-1))
        by_conf = weighted(distance, dense.conf[valid], self.gamma, self.alpha)
        if self.kept_share is not None:
            distance, by_conf = (without_outliers(values, self.kept_share) for values in (distance, by_conf))
        flat = (dense.values.flatten(0, 1), true.flatten(0, 1), valid.flatten(0, 1), dense.conf.flatten(0, 1))
        between = 0 * by_conf.sum() if self.neighbours is None else self.neighbours.evaluate(*flat)
        return self._sum(by_conf.mean(), distance.mean(), between)

    def _sum(self, by_conf: Tensor, distance: Tensor, between: Tensor) -> LossValue:
        details = {
            f"loss_conf_{self.name}": by_conf,
            f"loss_reg_{self.name}": distance,
            f"loss_grad_{self.name}": between,
        }
        return LossValue(by_conf + distance + between, _logged(details))


@dataclass(frozen=True, slots=True)
class TrackTruth:
    """Where points of frame 0 truly are. A track counts when its point is seen in frame 0."""

    xy: Tensor  # (B, S, N, 2), image pixels
    visible: Tensor  # (B, S, N) bool

    def __post_init__(self) -> None:
        if self.xy.shape != (*self.visible.shape, 2):
            raise ValueError(
                f"tracks need xy (B, S, N, 2) and visible (B, S, N): got {tuple(self.xy.shape)} and "
                f"{tuple(self.visible.shape)}"
            )


@dataclass(frozen=True, slots=True)
class TrackLoss:
    """How far tracks are off where they are seen, whether they know where they are seen, and whether they
    know how good they are.
    """

    decay: float = 0.8
    """An iteration counts for so much of the next one."""
    right_px: float = 3.0
    """A position is right when it is no farther off."""

    def evaluate(self, tracks: Tracks, truth: TrackTruth) -> LossValue:
        """Return the sum of the three losses; of too few points 0."""
        valid = truth.visible[:, :1].expand_as(truth.visible)
        position, n = tracks.xy.new_zeros(()), len(tracks.iterations)
        for k, xy in enumerate(tracks.iterations):
            off = (xy - truth.xy).abs().mean(-1)[valid & truth.visible]
            position = position + self.decay ** (n - 1 - k) / n * (
                off.mean() if len(off) > _LEAST_TRACKED else 0 * xy.sum()
            )
        details = {
            "loss_track": position,
            "loss_vis": _cross_entropy(tracks.visible_logit, truth.visible, valid),
        }
        if tracks.conf_logit is not None:
            # Detached: the confidence learns from the error, and the position must not learn from the
            # confidence.
            right = (tracks.xy.detach() - truth.xy).norm(dim=-1) < self.right_px
            details["loss_conf"] = _cross_entropy(tracks.conf_logit, right, valid)
        return LossValue(torch.stack(list(details.values())).sum(), _logged(details))


@dataclass(frozen=True, slots=True)
class VggtLoss:
    """The weighted sum. The defaults are those of the published fine-tuning, which trains cameras
    and depth.
    """

    camera: tuple[float, CameraLoss] | None = (5.0, CameraLoss())
    depth: tuple[float, DenseLoss] | None = (1.0, DenseLoss("depth"))
    points: tuple[float, DenseLoss] | None = None
    track: tuple[float, TrackLoss] | None = None

    def evaluate(self, output: VggtOutput, truth: SceneTruth, tracks: TrackTruth | None = None) -> LossValue:
        """Return the sum over the parts that are on, for a truth that is normalised already.

        Raises `UserError` saying which part of the network's output, or of the truth, is missing.
        """
        found = []
        if self.camera is not None:
            found.append(
                (
                    self.camera[0],
                    self.camera[1].evaluate(required(output.encodings, "cameras", "VggtLoss"), truth),
                )
            )
        if self.depth is not None:
            found.append(
                (
                    self.depth[0],
                    self.depth[1].evaluate(
                        required(output.depth, "depth", "VggtLoss"), truth.depth[..., None], truth.valid
                    ),
                )
            )
        if self.points is not None:
            found.append(
                (
                    self.points[0],
                    self.points[1].evaluate(
                        required(output.points, "points", "VggtLoss"), truth.world_points, truth.valid
                    ),
                )
            )
        if self.track is not None:
            found.append(
                (
                    self.track[0],
                    self.track[1].evaluate(
                        required(output.tracks, "tracks", "VggtLoss"),
                        required(tracks, "true tracks", "VggtLoss"),
                    ),
                )
            )
        if not found:
            raise UserError(
                "a loss without parts trains nothing. Switch on cameras, depth, points or tracks."
            )
        value = torch.stack([weight * loss.value for weight, loss in found]).sum()
        return LossValue(value, {name: number for _, loss in found for name, number in loss.details.items()})


PAPER_LOSS = VggtLoss(
    camera=(1.0, CameraLoss()),
    depth=(1.0, DenseLoss("depth")),
    points=(1.0, DenseLoss("point", NormalTerm())),
    track=(0.05, TrackLoss()),
)
"""All four parts, weighted as in the paper; each is computed as in the published program."""


def _cross_entropy(logit: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    if not valid.any():
        return 0 * logit.sum()
    return functional.binary_cross_entropy_with_logits(logit[valid], target[valid].to(logit.dtype))


def _logged(details: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value.detach()) for name, value in details.items()}
