"""From evidence to outlines: where the picture has an edge the mask has its rim.

A random walker with priors (Grady 2005) where object and backdrop share their colours, GrabCut (Rother et al.
2004) where colours tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from masks.making.colour import SEED, ColourModel, bins_of, box_of, colour_model, with_colour
from masks.making.evidence import Evidence
from masks.making.pictures import well_exposed
from masks.mask import shrunk
from masks.progress import Progress, silent

Holes = Literal["colour", "fill"]
"""What becomes of holes in a mask. colour: those that are backdrop by evidence stay; fill: none stay."""

_SHARED = (
    0.08  # overlap of colours beyond which the walker is better; measured on either side, 0.032 and 0.129
)
_PRIOR = 0.05
_CONTRAST = 0.004  # per squared grey value
_LEAST_LINK = 1e-4
_AT_RIM = 0.15
_RIM_PX = 2
_TOLERANCE, _MOST_STEPS = 1e-3, 300
_SEED_SHRINK = 1 / 140  # of the long side: without it the rim's backdrop enters the object's colours
_LEAST_PIECE = 0.02
_SMALL_HOLE = 30  # pixels
_BACKDROP = -0.8
_STEADY, _FEWEST_STEADY = 0.6, 8
_BACKDROP_COLOURS = -0.5  # mean log ratio; none has colours that nothing else has, as a highlight


@dataclass(frozen=True, slots=True)
class Refined:
    """Outlines of all views, at the size of the working pictures."""

    soft: tuple[np.ndarray, ...]  # V times (H, W) float32 in 0..1; object from 0.5 on
    evidence: Evidence
    """The road's, with what the colours say."""
    colours: ColourModel
    pieces: tuple[int, ...]
    """Parts of each mask."""
    filled: tuple[float, ...]
    """Share of each mask that was a hole."""

    @property
    def masks(self) -> tuple[np.ndarray, ...]:
        """V times (H, W) bool, True = object."""
        return tuple(soft >= 0.5 for soft in self.soft)


def refined(
    evidence: Evidence,
    pictures: Sequence[np.ndarray],
    seeds: Sequence[np.ndarray] | None = None,
    holes: Holes = "colour",
    progress: Progress = silent,
) -> Refined:
    """Return the outlines in photos (H, W, 3) uint8 by a road's evidence.

    `seeds` are masks (H, W) bool of an earlier pass: they teach the colours. What is known by then not to be
    the object, a caller has put into the evidence.
    """
    pictures = well_exposed(pictures)
    colours = colour_model(pictures, evidence, seeds)
    evidence = with_colour(evidence, pictures, colours)
    walks = colours.overlap > _SHARED
    found = []
    for k, (picture, logits) in enumerate(zip(pictures, evidence.logits)):
        progress("outlines", k, len(pictures))
        box = box_of(logits)
        soft = np.zeros(logits.shape, np.float32)
        if box is not None:
            part, known = picture[box], logits[box]
            radius = int(_SEED_SHRINK * max(logits.shape))
            soft[box] = _walked(part, known) if walks else _cut(part, known, radius)
        found.append(_one_piece(soft, logits, holes))
    progress("outlines", len(pictures), len(pictures))
    softs, pieces, filled = zip(*found) if found else ((), (), ())
    if holes == "colour":
        glints = _glints([soft >= 0.5 for soft in softs], pictures, evidence)
        softs = [np.where(glint, 1, soft) for soft, glint in zip(softs, glints)]
        filled = [
            own + float(g.sum()) / max(1, int((soft >= 0.5).sum()))
            for own, g, soft in zip(filled, glints, softs)
        ]
    return Refined(tuple(softs), evidence, colours, tuple(pieces), tuple(filled))


def _walked(picture: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return the chance (H, W) float32 that a random walker from each pixel ends at the object.

    Minimises sum w_ij (x_i - x_j)² + sum p_i (x_i - [E_i > 0])² over the four neighbours.
    """
    towards = (logits > 0).astype(np.float32)
    strength = _PRIOR * np.abs(logits)
    # Windows of evidence are wider than the rim: there the picture's own edge shall decide.
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * _RIM_PX + 1, 2 * _RIM_PX + 1))
    strength[cv2.morphologyEx(towards, cv2.MORPH_GRADIENT, kernel) > 0] *= _AT_RIM
    colours = picture.astype(np.float32)
    across = _links(colours[:, 1:] - colours[:, :-1])
    down = _links(colours[1:] - colours[:-1])
    return np.clip(_solved(across, down, strength, towards), 0, 1)


def _links(difference: np.ndarray) -> np.ndarray:
    square = np.einsum("hwc,hwc->hw", difference, difference)
    return np.exp(-_CONTRAST * square) + np.float32(_LEAST_LINK)


def _solved(across: np.ndarray, down: np.ndarray, strength: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Solve (L + diag(strength)) x = strength * towards by conjugate gradients, preconditioned by the
    diagonal.
    """
    diagonal = strength.copy()
    diagonal[:, 1:] += across
    diagonal[:, :-1] += across
    diagonal[1:] += down
    diagonal[:-1] += down
    right = strength * towards

    def times(x: np.ndarray) -> np.ndarray:
        product = diagonal * x
        product[:, 1:] -= across * x[:, :-1]
        product[:, :-1] -= across * x[:, 1:]
        product[1:] -= down * x[:-1]
        product[:-1] -= down * x[1:]
        return product

    x = towards.copy()
    rest = right - times(x)
    enough = _TOLERANCE * float(np.linalg.norm(right))
    direction = rest / diagonal
    fall = float(np.vdot(rest, direction))
    for _ in range(_MOST_STEPS):
        if float(np.linalg.norm(rest)) <= enough:
            break
        ahead = times(direction)
        step = fall / float(np.vdot(direction, ahead))
        x += step * direction
        rest -= step * ahead
        scaled = rest / diagonal
        fall, before = float(np.vdot(rest, scaled)), fall
        direction = scaled + (fall / before) * direction
    return x


def _cut(picture: np.ndarray, logits: np.ndarray, radius_px: int) -> np.ndarray:
    """Return the object (H, W) as 0.0 and 1.0 by GrabCut, whose seeds keep off the rim by so many pixels."""
    labels = np.where(logits > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[shrunk(logits >= SEED, radius_px)] = cv2.GC_FGD
    labels[shrunk(logits <= -SEED, 1)] = cv2.GC_BGD
    if np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).sum() in (0, labels.size):
        return (logits > 0).astype(np.float32)
    # Its first colours are drawn: from the same numbers whatever was drawn before.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    labels, _, _ = cv2.grabCut(np.ascontiguousarray(picture), labels, None, *models, 2, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)


def _one_piece(soft: np.ndarray, logits: np.ndarray, holes: Holes) -> tuple[np.ndarray, int, float]:
    """Return the soft mask (H, W) without specks and holes, its number of pieces, and the share filled."""
    inside = (soft >= 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    if count < 2:
        return np.zeros_like(soft), 0, 0.0
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    # Not one piece alone: a hand before a body is one of its own.
    stays = areas >= _LEAST_PIECE * areas.max()
    kept = stays[labels]
    filling = _filling(kept, logits, holes)
    soft = np.where((inside > 0) & ~kept, 0, soft)
    soft[filling] = 1
    return soft, int(stays.sum()), float(filling.sum() / (kept | filling).sum())


def _filling(kept: np.ndarray, logits: np.ndarray, holes: Holes) -> np.ndarray:
    """Return which pixels (H, W) lie in holes that are to be filled."""
    labels, sizes = _holes(kept)
    mean = np.bincount(labels.ravel(), logits.ravel(), len(sizes)) / np.maximum(sizes, 1)
    fill = (sizes < _SMALL_HOLE) | (mean > _BACKDROP) | (holes == "fill")
    fill[0] = False
    return fill[labels]


def _holes(kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number (H, W) of the hole that each pixel is in, 0 in none, and the holes' sizes."""
    # A rim around the picture joins all that is outside, from whatever side the object cuts it.
    count, labels = cv2.connectedComponents(np.pad((~kept).astype(np.uint8), 1, constant_values=1))
    labels = np.where(labels == labels[0, 0], 0, labels)[1:-1, 1:-1]
    return labels, np.bincount(labels.ravel(), minlength=count)


def _glints(
    masks: Sequence[np.ndarray], pictures: Sequence[np.ndarray], evidence: Evidence
) -> list[np.ndarray]:
    """Return which pixels (H, W) bool of the holes in masks (H, W) are the object: holes at one place in most
    photos that have not the backdrop's colours.

    A lamp's reflection stands still while the object turns, as its backdrop does; what is seen through a hole
    moves with it.
    """
    nothing = [np.zeros(mask.shape, bool) for mask in masks]
    if len(masks) < _FEWEST_STEADY or len({mask.shape for mask in masks}) > 1:
        return nothing
    found = [_holes(mask) for mask in masks]
    steady = np.mean([labels > 0 for labels, _ in found], axis=0) >= _STEADY
    if not steady.any():
        return nothing
    # Taken for backdrop they have taught its colours.
    untaught = tuple(np.where(steady, np.float32(0), logits) for logits in evidence.logits)
    ratios = colour_model(pictures, Evidence(untaught, evidence.road)).log_ratio.ravel()
    glints = []
    for picture, (labels, sizes) in zip(pictures, found):
        ratio = ratios[bins_of(picture)]
        at, size = labels.ravel(), np.maximum(sizes, 1)
        stays = np.bincount(at, steady.ravel(), len(sizes)) / size > 0.5
        other = np.bincount(at, ratio.ravel(), len(sizes)) / size > _BACKDROP_COLOURS
        fill = stays & other
        fill[0] = False
        glints.append(fill[labels])
    return glints
