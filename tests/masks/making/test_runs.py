"""Photos between which the camera was touched."""

from __future__ import annotations

import numpy as np
from still_backdrops import disc_before, iou, textured_backdrop

from masks.making.refine import refined
from masks.making.runs import evidence_of_runs, runs_of


def touched(photos: tuple[np.ndarray, ...], at: int, shift_px: int = 4) -> tuple[np.ndarray, ...]:
    return tuple(np.roll(p, shift_px, axis=1) if k >= at else p for k, p in enumerate(photos))


def test_a_still_camera_has_one_run() -> None:
    runs, breaks = runs_of(disc_before(textured_backdrop()).photos)
    assert [(run.start, run.stop) for run in runs] == [(0, 12)]
    assert breaks == ()


def test_a_touched_camera_has_a_plate_before_and_after() -> None:
    still = disc_before(textured_backdrop(), num_views=24)
    photos, masks = touched(still.photos, 10), touched(still.masks, 10)
    runs, breaks = runs_of(photos)
    assert [(run.start, run.stop) for run in runs] == [(0, 10), (10, 24)]
    assert breaks == (10,)
    found = refined(evidence_of_runs(photos, runs), photos).masks
    assert min(iou(a, b) for a, b in zip(found, masks)) > 0.9


def test_too_few_photos_behind_a_touch_are_named_and_not_divided() -> None:
    still = disc_before(textured_backdrop(), num_views=14)
    runs, breaks = runs_of(touched(still.photos, 9))
    assert len(runs) == 1
    assert breaks == (9,)


def test_a_camera_that_always_moves_was_not_touched() -> None:
    photos = tuple(np.roll(p, 5 * k, 1) for k, p in enumerate(disc_before(textured_backdrop()).photos))
    assert runs_of(photos)[1] == ()


def test_a_hand_in_three_photos_touches_nothing() -> None:
    photos = [p.copy() for p in disc_before(textured_backdrop(), num_views=14).photos]
    for k in (4, 5, 6):
        photos[k][:, 100:] = (210, 160, 130)
    runs, breaks = runs_of(tuple(photos))
    assert len(runs) == 1
    assert breaks == ()
