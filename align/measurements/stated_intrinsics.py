"""Whether stated intrinsics can be those of the pictures that the pointmaps are of, and if not, of what
they are.

Pointmaps tell focals and principal point by themselves. Stated numbers that contradict them clearly are
read in the ways in which K goes wrong; such a reading is named only where it makes the contradiction
vanish, and no other one does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from masks.notice import first_few
from masks.pixelmap import intrinsics_to_source
from pairs.views.view import View

_DOUBTED_FOCAL, _DOUBTED_CENTRE = math.log(1.3), 0.1
"""Networks are off by a tenth of the focal, and take the middle of a picture that was cropped off-centre
for its principal point. Of the focal's logarithm, and of the longer side."""
_FOCAL_TOO_LONG, _FOCAL_TOO_SHORT = 3.0, 0.5
"""Beyond, no network's error explains it. They see long lenses as shorter ones, hence the asymmetry."""
_EXPLAINED_FOCAL, _FITTED_FOCAL, _EXPLAINED_CENTRE = math.log(1.2), math.log(1.12), 0.04
"""What a reading of K may leave between it and the pointmaps, to be named as the cause."""
_EXACT_FOCAL, _EXACT_CENTRE, _CLEARLY = 0.03, 0.01, 4.0
"""A reading that fits so well, and so many times better than what is stated, is named even where that could
pass."""
_SAME = 0.02
_SENSOR_MM = (3.0, 70.0)
"""Widths of sensors, from a phone's to medium format."""


@dataclass(frozen=True, slots=True)
class IntrinsicsFault:
    """What stated intrinsics contradict."""

    views: tuple[int, ...]
    """That state them."""
    text: str
    """A sentence or some."""
    certain: bool
    """They cannot be meant. Else they are only doubtful."""


def intrinsics_faults(
    views: Sequence[View], measured: Sequence[Tensor | None], chosen: Iterable[int]
) -> tuple[IntrinsicsFault, ...]:
    """Compare every K that is stated for a chosen view with those (3, 3) that the pointmaps suggest on the
    views' grids.

    Views that state the same K are judged together, by the middle of their pointmaps: one view that a
    network misjudges accuses nobody. Returns what contradicts them clearly.
    """
    alike: dict[tuple[bytes, tuple[int, int]], list[int]] = {}
    for k in chosen:
        K = views[k].K
        if K is not None and measured[k] is not None:
            alike.setdefault((K.tobytes(), views[k].photo_size), []).append(k)
    faults = []
    for (stated, size), group in alike.items():
        own = [
            intrinsics_to_source(views[k].grid_from_photo, K.numpy())
            for k in group
            if (K := measured[k]) is not None
        ]
        found = judge_intrinsics(np.frombuffer(stated).reshape(3, 3), np.median(own, 0), size)
        if found is not None:
            text = f"the stated K of {first_few([views[k].name for k in group])} {found[0]}"
            faults.append(IntrinsicsFault(tuple(group), text, found[1]))
    return tuple(faults)


def judge_intrinsics(
    stated: np.ndarray, measured: np.ndarray, size: tuple[int, int]
) -> tuple[str, bool] | None:
    """Return how stated intrinsics (3, 3) contradict measured ones, both of a picture of that (width,
    height), and whether beyond doubt; none where they do not clearly.

    The sentence goes on after "the stated K".
    """
    focal, centre = _misfit(stated, measured, size)
    clear = focal > _DOUBTED_FOCAL or centre > _DOUBTED_CENTRE
    named = _explained(stated, measured, size, clear)
    if not clear and named is None:
        return None
    contradiction = _contradiction(stated, measured, size)
    ratio = _focals(stated) / _focals(measured)
    # A network errs alike in both axes.
    oblong = bool(np.ptp(np.log(ratio)) > _DOUBTED_FOCAL)
    absurd = (
        oblong or ratio.min() < _FOCAL_TOO_SHORT or ratio.max() > _FOCAL_TOO_LONG or _outside(stated, size)
    )
    if named is None:
        hint = f"{_hint(stated, measured, size)}By the pointmaps it would be about {_matrix(measured)}."
        return f"{contradiction} {hint}", bool(absurd)
    certain = bool(clear and (absurd or not named.fitted))
    state = "If so, state" if named.fitted or not clear else "State"
    remedy = f"{state} K in pixels of the {size[0]}x{size[1]} picture: {_matrix(named.K)}."
    return f"{contradiction} {named.words} {remedy}", certain


@dataclass(frozen=True, slots=True)
class _Reading:
    """What stated numbers may be."""

    words: str
    K: np.ndarray  # (3, 3), what they then stand for
    fitted: bool = False
    """Its principal point is in the middle by construction, whatever was stated: only the focal speaks for
    it."""


def _explained(
    stated: np.ndarray, measured: np.ndarray, size: tuple[int, int], clear: bool
) -> _Reading | None:
    """Return the reading that makes the contradiction vanish; none where none does, or several do."""
    as_stated = _distance(stated, measured, size)
    fits: list[tuple[float, _Reading]] = []
    for reading in _readings(stated, size):
        focal, centre = _misfit(reading.K, measured, size)
        distance = _distance(reading.K, measured, size)
        exact = focal < _EXACT_FOCAL and centre < _EXACT_CENTRE and distance * _CLEARLY < as_stated
        close = focal < (_FITTED_FOCAL if reading.fitted else _EXPLAINED_FOCAL) and centre < _EXPLAINED_CENTRE
        if (exact and not reading.fitted) or (clear and close):
            fits.append((distance, reading))
    fits.sort(key=lambda f: f[0])
    for distance, other in fits[1:]:
        # Two readings that stand for different cameras and fit alike: neither is known to be the cause.
        if distance < 2 * fits[0][0] + _SAME and _distance(other.K, fits[0][1].K, size) > _SAME:
            return None
    return fits[0][1] if fits else None


def _readings(K: np.ndarray, size: tuple[int, int]) -> Iterable[_Reading]:
    """Yield what a K may be that is none in pixels of its picture."""
    w, h = size
    unit = "It is in units of the picture's"
    yield _Reading(f"{unit} width and height.", np.diag([w, h, 1.0]) @ K)
    yield _Reading(f"{unit} width.", np.diag([w, w, 1.0]) @ K)
    yield _Reading(f"{unit} height.", np.diag([h, h, 1.0]) @ K)
    from_unit_square = np.array([[w / 2, 0, w / 2], [0, h / 2, h / 2], [0, 0, 1]])
    yield _Reading("It is in units that go from -1 to 1 over the picture.", from_unit_square @ K)
    from_middle = np.array([[1, 0, (w - 1) / 2], [0, 1, (h - 1) / 2], [0, 0, 1]])
    yield _Reading("Its principal point counts from the middle of the picture.", from_middle @ K)
    exchanged = K[np.ix_([1, 0, 2], [1, 0, 2])]
    turned = "Width and height are exchanged in it, as of a picture turned by 90 degrees"
    yield _Reading(f"{turned}.", exchanged)
    for words, other in (
        ("It fits a picture of about {}x{} pixels", K),
        (f"{turned}, one of about {{}}x{{}} pixels", exchanged),
    ):
        if min(other[:2, 2]) > 0:
            yield from _of_another_size(other, size, words)
    if min(K[:2, 2]) > 0:
        yield from _cut_to_fit(K, size)


def _of_another_size(K: np.ndarray, size: tuple[int, int], words: str) -> Iterable[_Reading]:
    """Yield what K stands for if it is of another picture with its principal point in the middle, which was
    resized.
    """
    other = _likely_size(2 * K[:2, 2] + 1, size)
    scale = np.array(other) / size
    if np.abs(np.log(scale)).max() > _SAME:
        sensor = ", or the millimetres of a sensor of that size" if max(other) <= _SENSOR_MM[1] else ""
        yield _Reading(f"{words.format(*other)}{sensor}.", _resized(K, scale, np.zeros(2)))


def _cut_to_fit(K: np.ndarray, size: tuple[int, int]) -> Iterable[_Reading]:
    """Yield what K stands for if it is of a picture of another shape with its principal point in the middle.

    That was resized until it filled this one, and what stood over on both sides was cut.
    """
    other = _likely_size(2 * K[:2, 2] + 1, size)
    scale = np.array(other) / size
    if abs(np.log(scale[0] / scale[1])) > _SAME:
        cut = (np.array(other) / scale.min() - size) / 2
        how = "before it was resized and cut" if abs(np.log(scale.min())) > _SAME else "before it was cut"
        words = f"It may be of one of about {other[0]}x{other[1]} pixels, {how} at both sides."
        yield _Reading(words, _resized(K, np.full(2, scale.min()), cut), fitted=True)


def _likely_size(wanted: np.ndarray, size: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) near a wanted one, of the shape of `size` where there is such a one.

    Principal points are stated as (W - 1)/2, W/2 or W/2 - 1.
    """
    w, h = (round(float(side)) for side in wanted)
    near = [(w + x, h + y) for x in range(-2, 3) for y in range(-2, 3)]
    alike = [(x, y) for x, y in near if x * size[1] == y * size[0] and x > 0]
    return min(alike, key=lambda c: abs(c[0] - w) + abs(c[1] - h)) if alike else (w, h)


def _resized(K: np.ndarray, scale: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Return K of a picture shrunk by a scale (2,), of which pixels (2,) are then cut at the left and the
    top.
    """
    resize = np.diag([*(1 / scale), 1.0])
    resize[:2, 2] = 0.5 / scale - 0.5 - cut
    return resize @ K


def _focals(K: np.ndarray) -> np.ndarray:
    return K[[0, 1], [0, 1]]


def _misfit(K: np.ndarray, measured: np.ndarray, size: tuple[int, int]) -> tuple[float, float]:
    """Return how far focals differ, by their logarithms, and principal points, by the longer side; of the
    worse axis.
    """
    focal = np.abs(np.log(_focals(K) / _focals(measured))).max()
    return float(focal), float(np.abs(K[:2, 2] - measured[:2, 2]).max() / max(size))


def _distance(K: np.ndarray, other: np.ndarray, size: tuple[int, int]) -> float:
    """Return one number for how far two K differ.

    With the usual focal, about the longer side, a shift by a share of that side turns rays at the middle by
    as much; a focal off by the same share turns those at the rim by half of it.
    """
    focal, centre = _misfit(K, other, size)
    return math.hypot(focal, 2 * centre)


def _outside(K: np.ndarray, size: tuple[int, int]) -> bool:
    return not (-0.5 <= K[0, 2] <= size[0] - 0.5 and -0.5 <= K[1, 2] <= size[1] - 0.5)


def _contradiction(stated: np.ndarray, measured: np.ndarray, size: tuple[int, int]) -> str:
    """Return in which figures the two differ, as the end of a sentence."""
    (focal, centre), picture = _misfit(stated, measured, size), f"{size[0]}x{size[1]} picture"
    said = []
    if centre > _EXPLAINED_CENTRE or _outside(stated, size):
        where = "lies outside of the" if _outside(stated, size) else "differs from theirs on the"
        points = _point(stated[:2, 2]), _point(measured[:2, 2])
        said.append(f"its principal point {points[0]} {where} {picture} (by them about {points[1]})")
    if focal > _EXACT_FOCAL:
        f, g = _focals(stated), _focals(measured)
        alike = np.ptp(np.log(f / g)) < _SAME
        times = f"{f[0] / g[0]:.3g}" if alike else f"{f[0] / g[0]:.3g} and {f[1] / g[1]:.3g}"
        told, seen = (_number(x[0]) if alike else _point(x) for x in (f, g))
        which = "focal is" if alike else "focals are"
        said.append(f"its {which} {times} times theirs ({told} instead of about {seen})")
    return f"contradicts the pointmaps: {', and '.join(said)}."


def _hint(stated: np.ndarray, measured: np.ndarray, size: tuple[int, int]) -> str:
    """Return what to look at where no reading is sure."""
    focal, centre = _misfit(stated, measured, size)
    if focal < _DOUBTED_FOCAL:
        return "Was the picture cropped, and K was not? "
    if centre > _EXPLAINED_CENTRE:
        return ""
    ratio = _focals(stated) / _focals(measured)
    if max(ratio) < 1 and _SENSOR_MM[0] < size[0] * ratio[0] < _SENSOR_MM[1]:
        return "If it is in millimetres, write it in pixels. "
    return "Is it in pixels of that picture? "


def _matrix(K: np.ndarray) -> str:
    rows = [
        [_number(K[0, 0]), "0", _number(K[0, 2])],
        ["0", _number(K[1, 1]), _number(K[1, 2])],
        ["0", "0", "1"],
    ]
    return str(rows).replace("'", "")


def _point(xy: np.ndarray) -> str:
    return f"({_number(xy[0])}, {_number(xy[1])})"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 10 else f"{value:.1f}".removesuffix(".0")
