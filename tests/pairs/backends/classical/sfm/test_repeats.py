"""Which views repeat one another."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest

from masks.pixelmap import identity
from pairs.backends.classical.sfm.repeats import repeat_notices, repeated_views
from pairs.views.view import View

SIZE = (160, 120)


def view(name: str, image: np.ndarray) -> View:
    return View(name, None, image, identity(SIZE), None, name)


def picture(seed: int, noise: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (24, 32, 3), np.uint8)
    clean = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_LINEAR).astype(float)
    return np.clip(clean + np.random.default_rng(noise).normal(0, 8, clean.shape), 0, 255).astype(np.uint8)


def before_a_backdrop(seed: int, noise: int) -> np.ndarray:
    image = picture(99, noise)
    image[40:80, 60:100] = picture(seed, noise)[40:80, 60:100]
    return image


def still(count: int) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:
    xy = [np.random.default_rng(0).uniform(0, 100, (60, 2))] * count
    every = np.stack([np.arange(60)] * 2, axis=1).astype(np.int32)
    return xy, dict.fromkeys(combinations(range(count), 2), every)


@pytest.mark.parametrize("frames", [2, 3, 4])
def test_frames_of_a_stop_are_one_view(frames: int) -> None:
    xy, matches = still(2 * frames)
    xy = [points + 30 * (k // frames) for k, points in enumerate(xy)]
    views = [view(f"{k}.jpg", picture(k // frames, k)) for k in range(2 * frames)]
    first = repeated_views(views, xy, matches, 1.5)
    assert first == (0,) * frames + (frames,) * frames
    (said,) = repeat_notices(views, first)
    assert "0.jpg = 1.jpg" in said.text
    assert f"{2 * frames} photos show 2 different views" in said.text


def test_a_flicker_of_the_light_does_not_hide_a_repeat() -> None:
    xy, matches = still(2)
    a = picture(0)
    views = [view("a", a), view("b", np.clip(a.astype(int) + 20, 0, 255).astype(np.uint8))]
    assert repeated_views(views, xy, matches, 1.5) == (0, 0)


def test_an_object_that_turns_before_a_loud_backdrop_repeats_nothing() -> None:
    xy, matches = still(3)
    views = [view(f"{k}", before_a_backdrop(k, k)) for k in range(3)]
    first = repeated_views(views, xy, matches, 1.5)
    assert first == (0, 1, 2)
    assert repeat_notices(views, first) == ()


def test_a_few_matches_that_stand_still_are_an_accident() -> None:
    xy, matches = still(2)
    views = [view("a", picture(0)), view("b", picture(0))]
    assert repeated_views(views, xy, {pair: m[:20] for pair, m in matches.items()}, 1.5) == (0, 1)
    assert repeated_views([views[0], replace(views[1], name="c")], xy, matches, 1.5) == (0, 0)


def test_frames_of_a_slow_turn_are_not_one_view() -> None:
    xy, matches = still(12)
    matches = {(a, b): m for (a, b), m in matches.items() if b - a == 1}
    faint = 128 + 0.3 * (picture(0) - 128.0)
    wide = cv2.resize(faint.astype(np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    shifted = [np.roll(wide, k, axis=1) for k in range(12)]
    views = [View(f"{k}", None, image, identity((640, 480)), None, f"{k}") for k, image in enumerate(shifted)]
    first = repeated_views(views, xy, matches, 1.5)
    assert len(set(first)) >= 3
    assert all(k - leader <= 4 for k, leader in enumerate(first))
