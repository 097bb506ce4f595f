"""All photos of a scene in one pass, or in overlapping windows where the memory does not suffice
(docs/vggt.md, "Group pass").
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from masks.errors import UserError
from masks.fill import fill_named
from masks.memory import is_out_of_memory
from masks.notice import Notice, info
from pairs.backends.vggt.cost import PassCost, device_memory, in_words, pass_cost
from pairs.backends.vggt.group import group_prediction
from pairs.backends.vggt.images import on_vggt_grid, vggt_input
from pairs.backends.vggt.model_spec import GROUP_HEADS, VggtSpec, grid_for, open_vggt
from pairs.backends.vggt.stitching import overlapping_windows, stitched
from pairs.backends.work import Work, cached_map
from pairs.networks.vggt.config import Head
from pairs.networks.vggt.network import Dense, Vggt, VggtOutput
from pairs.prediction.layout import laid_out
from pairs.prediction.predictions import GroupPrediction
from pairs.prediction.sealed_arrays import Arrays
from pairs.views.digest import digest
from pairs.views.view import View

_GROUPS = "groups"
"""Folder of the store."""
_LAYOUT = {
    "encodings": ("float32", ("S", 9)),
    "depth": ("float32", ("S", "H", "W")),
    "conf": ("float32", ("S", "H", "W")),
}
# Windows share half of their views: of two that is one photo, on which the whole chain of similarities would
# hang.
_LEAST_WINDOW = 3


@dataclass(frozen=True, slots=True)
class MaxFrames:
    """How many photos the network looks at together."""

    at_most: int | None = None
    """None: as many as fit into memory."""
    whole: bool = False
    """All of them or none."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """What was said of a scene."""

    views: tuple[View, ...]
    """On the network's grid."""
    group: GroupPrediction
    windows: tuple[tuple[int, ...], ...]
    """The views of every pass."""
    notices: tuple[Notice, ...]


def parse_max_frames(text: str) -> MaxFrames:
    """Return what `auto`, `all` or a number stand for. Raises `UserError` for anything else."""
    if text in ("auto", "all"):
        return MaxFrames(whole=text == "all")
    if not (text.isascii() and text.isdigit() and int(text) >= _LEAST_WINDOW):
        raise UserError(
            f"`max_frames={text}`: say auto, all, or how many photos the network looks at together, "
            f"{_LEAST_WINDOW} or more."
        )
    return MaxFrames(int(text))


def predict_group(
    views: Sequence[View],
    max_frames: MaxFrames,
    spec: VggtSpec,
    work: Work,
    heads: frozenset[Head] = GROUP_HEADS,
) -> Grouped:
    """Return cameras, depth and confidence of all views, in the world of the first.

    `heads` are those that the windows must leave memory for. Raises `UserError` before anything is read when
    the memory does not suffice.
    """
    work.progress("scaling photos for the network", 0, 1)
    placed = on_vggt_grid(views, grid_for(tuple(views), spec))
    device = torch.device(spec.device)
    height, width = placed[0].image.shape[:2]
    cost = pass_cost(spec.with_heads(heads), (height, width), spec.frames_at_once)
    windows, notices = choose_windows(len(placed), cost, device_memory(device), max_frames)
    # Said before it is run: whoever has not so much memory or time can still stop here.
    work.progress(
        f"looking at {len(windows[0])} photos together ({in_words(cost, len(windows[0]), device)})",
        0,
        len(windows),
    )
    seen = [tuple(placed[view] for view in window) for window in windows]
    said = cached_map(
        work,
        "looking at photos together",
        _GROUPS,
        [digest(spec.key("vggt"), [view.grid_key for view in window]) for window in seen],
        _Looker(spec),
        lambda missing: [seen[k] for k in missing],
        _output,
    )
    groups = [group_prediction(window, output) for window, output in zip(seen, said)]
    whole, doubts = stitched([group for group, _ in groups], windows, [view.name for view in placed])
    remarks = [remark for _, some in groups for remark in some]
    return Grouped(placed, whole, windows, tuple(dict.fromkeys((*notices, *remarks, *doubts))))


def choose_windows(
    num_views: int, cost: PassCost, free: float | None, max_frames: MaxFrames
) -> tuple[tuple[tuple[int, ...], ...], tuple[Notice, ...]]:
    """Return the views of every pass, and what the user has to know about it.

    Raises `UserError` naming the number of photos that fit when the memory does not suffice for the number
    asked for, or for a useful one.
    """
    asked = num_views if max_frames.at_most is None else min(max_frames.at_most, num_views)
    fit = asked if free is None else cost.frames_within(free)
    if fit >= asked:
        windows = overlapping_windows(num_views, max(asked, 2))
        return windows, () if len(windows) == 1 else (
            _windows_notice(num_views, asked, len(windows), "as asked for"),
        )
    need, left = cost.gigabytes(asked), (free or 0) / 1e9
    lack = f"{asked} photos in one pass need about {need:.1f} GB of memory, of which {left:.1f} GB are free"
    smaller = "Use another `device`, or close what else uses its memory."
    if fit < min(_LEAST_WINDOW, num_views):
        raise UserError(f"{lack}: not even {min(_LEAST_WINDOW, num_views)} photos fit. {smaller}")
    if max_frames.whole or max_frames.at_most is not None:
        raise UserError(
            f"{lack}: {fit} photos fit. Pass `max_frames={fit}` (or auto) for overlapping groups of photos "
            f"that are joined afterwards. {smaller}"
        )
    windows = overlapping_windows(num_views, fit)
    return windows, (
        _windows_notice(
            num_views, fit, len(windows), f"all together would need about {need:.1f} GB of memory"
        ),
    )


def _windows_notice(num_views: int, size: int, count: int, why: str) -> Notice:
    text = (
        f"the {num_views} photos were looked at in {count} overlapping groups of {size}, joined by the "
        f"photos they share ({why}; `max_frames={size}`)."
    )
    return info("groups", text)


class _Looker:
    """Looks at photos together, with a network that is opened when the first come."""

    def __init__(self, spec: VggtSpec) -> None:
        self._spec = spec

    @functools.cached_property
    def _network(self) -> Vggt:
        return open_vggt(self._spec, GROUP_HEADS)

    def __call__(self, views: Sequence[View]) -> dict[str, np.ndarray]:
        """Run the network once, and return what it says as arrays: encodings (S, 9), depth and confidence
        (S, H, W).
        """
        network, spec = self._network, self._spec
        with torch.inference_mode(), enough_memory(len(views)):
            images = vggt_input(views, fill_named(spec.fill)).to(network.device)
            aggregated = network.aggregate(images[None])
            encodings = network.camera(aggregated)[-1]
            depth = network.depth(aggregated, spec.frames_at_once)
        arrays = {"encodings": encodings[0], "depth": depth.values[0, ..., 0], "conf": depth.conf[0]}
        return {name: tensor.float().cpu().numpy() for name, tensor in arrays.items()}


@contextmanager
def enough_memory(num_photos: int) -> Iterator[None]:
    """Raise `UserError` saying what to do when the memory does not suffice for a pass over so many photos
    after all.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        fewer = f"`max_frames={max(_LEAST_WINDOW, num_photos // 2)}`"
        raise UserError(
            f"the memory does not suffice for {num_photos} photos in one pass. Pass {fewer}, or use "
            "another `device`."
        ) from error


def _output(found: Arrays) -> VggtOutput:
    found = laid_out(found, _LAYOUT)
    encodings, depth, conf = (torch.from_numpy(found[name])[None] for name in ("encodings", "depth", "conf"))
    return VggtOutput(
        (encodings,), Dense(depth[..., None], conf), None, None, (depth.shape[2], depth.shape[3])
    )
