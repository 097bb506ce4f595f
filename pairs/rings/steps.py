"""Steps of a turntable in file order: the turn between photos, photos missing, repeated or exchanged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairs.rings.ring import Ring, wrapped

_REPEAT = 0.2
"""Two photos less than this share of a step apart show the same side."""
_REGULAR_SHARE = 0.01
_REGULAR_RAD = np.deg2rad(0.15)


@dataclass(frozen=True, slots=True)
class StepPattern:
    """How a ring goes round from file to file. Files are numbers in the order of the photos."""

    step: float
    """Radians a file, signed as the azimuths are."""
    spread: float
    """Standard deviation of a step in radians, robust; infinite where there is no single step."""
    span: float
    """Radians that the ring covers."""
    files: tuple[int, ...]
    """The files of the ring in their order."""
    steps: tuple[float, ...]
    """Turn from each file to the next one of the ring, in steps."""
    gaps: tuple[tuple[int, int, int], ...]
    """(file, next file, how many photos are missing between) where the turn is larger than the number of
    files says."""
    repeats: tuple[tuple[int, int], ...]
    """Files that show the same side: neighbours, or the first and the last."""
    out_of_order: tuple[int, ...]
    """Files that break the direction: two neighbours exchanged, or one that belongs elsewhere."""

    @property
    def regular(self) -> bool:
        """Whether the steps are equal enough to be held equal."""
        small = self.spread <= max(_REGULAR_SHARE * abs(self.step), _REGULAR_RAD)
        return small and not self.out_of_order


def step_pattern(ring: Ring, file_of_view: np.ndarray) -> StepPattern | None:
    """Return the pattern of a ring's azimuths, for `file_of_view` (V,) int: the place of every view of the
    scene in the order of the photos. None for fewer than three views.
    """
    if len(ring.views) < 3:
        return None
    files = np.asarray(file_of_view)[ring.views]
    order = np.argsort(files, kind="stable")
    files, azimuth = files[order], ring.azimuth[order]
    distance, turn = np.diff(files), np.diff(azimuth)
    step = _common_step(turn, distance)
    # What cannot be told apart by whole turns is taken nearest to what the number of files says.
    turn = step * distance + wrapped(turn - step * distance)
    in_steps = turn / step
    strange = _out_of_order(in_steps, azimuth, step)
    # What lies beside a photo out of order is no step.
    beside = np.zeros(len(turn), bool)
    for place in strange:
        beside[max(place - 1, 0) : place + 1] = True
    whole = np.maximum(np.rint(in_steps), 1)
    ordinary = ~beside & (in_steps > 1 - _REPEAT)
    rest = (turn / whole)[ordinary] - step
    spread = 1.4826 * np.median(np.abs(rest)) if len(rest) >= 2 else np.inf
    wide = [
        k
        for k in np.flatnonzero(ordinary & (whole > distance))
        if not _filled(int(k), strange, azimuth, turn)
    ]
    repeats = [(int(k), int(k) + 1) for k in np.flatnonzero(~beside & (np.abs(in_steps) < _REPEAT))]
    if ring.span > np.pi and abs(wrapped(azimuth[0] - azimuth[-1]) / step) < _REPEAT:
        repeats.append((0, len(files) - 1))
    return StepPattern(
        step=step,
        spread=float(spread),
        span=ring.span,
        files=tuple(map(int, files)),
        steps=tuple(map(float, in_steps)),
        gaps=tuple((int(files[k]), int(files[k + 1]), int(whole[k] - distance[k])) for k in wide),
        repeats=tuple((int(files[a]), int(files[b])) for a, b in repeats),
        out_of_order=tuple(int(files[k]) for k in strange),
    )


def even_azimuths(ring: Ring, file_of_view: np.ndarray) -> np.ndarray | None:
    """Return the azimuths (n,) of a ring moved to the nearest equal steps by least squares, files as in
    `step_pattern`; none where turns are no whole numbers of one step.
    """
    pattern = step_pattern(ring, file_of_view)
    if pattern is None or not np.isfinite(pattern.spread) or pattern.out_of_order:
        return None
    in_steps = np.asarray(pattern.steps)
    if np.abs(in_steps - np.rint(in_steps)).max() > _REPEAT:
        return None
    order = np.argsort(np.asarray(file_of_view)[ring.views], kind="stable")
    place = np.append(0, np.cumsum(np.rint(in_steps)))
    turned = pattern.step * np.append(0, np.cumsum(in_steps))
    even = np.empty(len(order))
    even[order] = ring.azimuth[order[0]] + np.polyval(np.polyfit(place, turned, 1), place)
    return wrapped(even)


def _common_step(turn: np.ndarray, distance: np.ndarray) -> float:
    """Return the median turn a file, from files that follow each other where there are two such pairs."""
    nearest = distance == distance.min() if (distance == distance.min()).sum() >= 2 else distance > 0
    # The middle of circular values: counted from one of them that most others are near to.
    each = wrapped(turn[nearest])
    apart = np.abs(wrapped(each[:, None] - each))
    start = each[np.argmin(np.median(apart, axis=1))]
    near = start + wrapped(each - start)
    step = float(np.median(near / distance[nearest]))
    # Equal azimuths throughout have no step; a division by it must not fail.
    return step if abs(step) > 1e-6 else 1e-6


def _out_of_order(in_steps: np.ndarray, azimuth: np.ndarray, step: float) -> list[int]:
    """Return the places in the order of files of the photos that belong elsewhere.

    Steps 2, -1, 2: two neighbours exchanged. Steps m, 1 - m, or a gap that another photo beside a jump
    fills: that photo was put elsewhere.
    """
    last = len(azimuth) - 1
    padded = np.concatenate([[1.0], in_steps, [1.0]])  # steps before and after the photo at place k: k, k + 1
    places: set[int] = set()
    for k in np.flatnonzero(in_steps < -_REPEAT):
        before, here, after = padded[k : k + 3]
        if before > 1.5 and after > 1.5 and abs(here + 1) < _REPEAT:
            places |= {int(k), int(k) + 1}
        else:
            # Without it its neighbours follow each other.
            places.add(int(k) if before > 1.5 else int(k) + 1)
    jumps = np.abs(padded - 1) > _REPEAT
    for gap in np.flatnonzero((in_steps > 1.5) & (in_steps < 2.5)):
        middle = azimuth[gap] + in_steps[gap] * step / 2
        near = np.abs(wrapped(azimuth - middle)) < _REPEAT * abs(step)
        for k in np.flatnonzero(near):
            if k not in (gap, gap + 1) and (jumps[k] or jumps[k + 1] or k in (0, last)):
                places.add(int(k))
    return sorted(places)


def _filled(gap: int, strange: list[int], azimuth: np.ndarray, turn: np.ndarray) -> bool:
    """Tell whether a photo that is out of order belongs into a gap."""
    ahead = wrapped(azimuth[strange] - azimuth[gap]) / turn[gap]
    return bool(((ahead > 0.1) & (ahead < 0.9)).any())
