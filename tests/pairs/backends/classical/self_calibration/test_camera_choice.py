"""Which parameters are freed, on made-up fits: every gate once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from masks.lens import Lens
from pairs.backends.classical.self_calibration.camera_choice import (
    CameraChoice,
    choose_camera,
    displacement_at_corner,
    displacement_px,
)
from pairs.backends.classical.self_calibration.camera_fits import FittedCamera, FreeParameters

SIZE = (640, 480)
MIDDLE = (319.5, 239.5)
State = tuple[int, bool]
NOTHING: dict[State, float] = dict.fromkeys(
    [(k, centre) for k in (0, 1, 2) for centre in (False, True)], 100.0
)
LENS = {0: (), 1: (-0.1,), 2: (-0.1, 0.05)}


def fits(
    costs: Mapping[State, float],
    *,
    centre: tuple[float, float] = (325.0, 235.0),
    sigma: float = 1.0,
    freedom: float = 20_000,
    coefficients: Mapping[int, tuple[float, ...]] = LENS,
) -> dict[FreeParameters, FittedCamera]:
    """Return fits with these costs, by (coefficients, principal point free)."""
    made = {}
    for (number, free), cost in costs.items():
        lens = Lens(("", "SIMPLE_RADIAL", "RADIAL")[number], coefficients[number]) if number else None
        made[FreeParameters(number, free)] = FittedCamera(
            positions=tuple(range(8)),
            cost=cost,
            observations=12_000,
            focal=600.0,
            sigma_focal=0.5,
            sigma_centre=(sigma, sigma) if free else (np.nan, np.nan),
            sigma_lens=(0.001,) * number,
            lens=lens,
            centre=centre if free else MIDDLE,
            freedom=freedom,
        )
    return made


def chosen(costs: Mapping[State, float], **more: object) -> CameraChoice:
    return choose_camera(fits({**NOTHING, **costs}, **more).__getitem__, SIZE)


K1 = {(1, False): 90.0, (2, False): 89.9, (1, True): 89.9, (2, True): 89.8}
"""A lens, and nothing but k1."""
BOTH = {(1, False): 99.9, (2, False): 93.0, (1, True): 99.8, (2, True): 92.9}
"""k1 and k2 that cancel over much of the picture: k1 alone explains nothing."""
CENTRE = {(k, True): 98.0 for k in (0, 1, 2)}
"""A principal point off the middle."""


def test_where_nothing_gains_nothing_is_freed() -> None:
    choice = chosen({})
    assert choice.free == FreeParameters()
    assert (choice.lens_refused, choice.centre_refused) == ("", "")


@pytest.mark.parametrize(("costs", "free"), [(K1, 1), (BOTH, 2)])
def test_a_lens_is_freed_by_what_it_explains(costs: dict[State, float], free: int) -> None:
    choice = chosen(costs)
    assert choice.free == FreeParameters(free)
    assert choice.lens_gain == pytest.approx(1 - costs[free, False] / 100)
    assert choice.fitted.lens == Lens(("SIMPLE_RADIAL", "RADIAL")[free - 1], LENS[free])


def test_a_lens_below_one_percent_is_none() -> None:
    small = {(k, centre): 99.2 for k in (1, 2) for centre in (False, True)}
    choice = chosen(small)
    assert choice.free.coefficients == 0
    assert choice.lens_gain == pytest.approx(0.008)


def test_k2_must_gain_beside_k1() -> None:
    assert chosen({**K1, (2, False): 89.2, (2, True): 89.1}).free.coefficients == 1
    assert chosen({**K1, (2, False): 88.0, (2, True): 87.9}).free.coefficients == 2


def test_an_off_centre_frame_is_no_lens() -> None:
    # Beside a free principal point the lens has nothing left to explain.
    choice = chosen({**CENTRE, (1, False): 98.6, (2, False): 98.6}, sigma=20.0)
    assert choice.free == FreeParameters()
    assert "principal point off the middle" in choice.lens_refused


def test_few_observations_make_no_lens() -> None:
    assert chosen(K1, freedom=1000).free.coefficients == 1  # 111, eleven sigma
    choice = chosen({k: 99.5 if k[0] else 101.0 for k in NOTHING}, freedom=1000)
    assert choice.free.coefficients == 0
    assert "too few observations" in choice.lens_refused


def test_a_lens_that_folds_the_picture_gives_way_to_the_simpler_one() -> None:
    folding = {**LENS, 2: (-0.1, -2.0)}
    two = {**K1, (2, False): 80.0, (2, True): 79.9}
    assert chosen(two).free.coefficients == 2
    assert chosen(two, coefficients=folding).free.coefficients == 1
    choice = chosen(two, coefficients={**folding, 1: (-2.0,)})
    assert choice.free.coefficients == 0
    assert "fold" in choice.lens_refused


def test_a_principal_point_is_freed_where_it_is_known() -> None:
    choice = chosen(CENTRE)
    assert choice.free == FreeParameters(0, centre=True)
    assert choice.centre_gain == pytest.approx(0.02)
    assert choice.fitted.centre == (325.0, 235.0)


@pytest.mark.parametrize(
    ("costs", "more", "why"),
    [
        ({(k, True): 99.7 for k in (0, 1, 2)}, {}, ""),
        (CENTRE, {"sigma": 3.3}, "3.3 px"),
        (CENTRE, {"centre": (319.5, 336.0)}, "from the middle"),
        ({**CENTRE, (1, False): 99.1, (2, False): 98.2}, {}, "a lens"),
    ],
    ids=["small gain", "uncertain", "far off", "not beside a lens"],
)
def test_a_principal_point_stays_in_the_middle(
    costs: dict[State, float], more: dict[str, object], why: str
) -> None:
    choice = chosen(costs, **more)
    assert not choice.free.centre
    assert why in choice.centre_refused


def test_its_sigma_must_be_small_in_both_fits() -> None:
    made = fits({**NOTHING, **CENTRE})
    widest = FreeParameters(2, centre=True)
    made[widest] = replace(made[widest], sigma_centre=(1.0, 6.9))
    assert not choose_camera(made.__getitem__, SIZE).free.centre


def test_beside_a_free_principal_point_a_lens_is_asked_for_again() -> None:
    # Before it k1 gains 0.65 % only, beside it 6.9 %.
    costs = {(0, False): 100, (1, False): 99.35, (2, False): 99.3}
    costs |= {(0, True): 98.0, (1, True): 91.2, (2, True): 91.1}
    assert chosen(costs).free == FreeParameters(1, centre=True)


def test_a_free_principal_point_takes_no_lens_away() -> None:
    costs = {**K1, (0, True): 91.0, (1, True): 88.0, (2, True): 87.9}
    assert chosen(costs).free == FreeParameters(1, centre=True)


def test_a_fit_that_failed_is_no_evidence() -> None:
    assert chosen({**K1, (2, False): np.nan}).free == FreeParameters()
    assert not chosen({**CENTRE, (0, True): np.nan}).free.centre


def test_few_fits_are_made_where_little_is_gained() -> None:
    asked = []
    made = fits(NOTHING)

    def fitted(free: FreeParameters) -> FittedCamera:
        asked.append(free)
        return made[free]

    choose_camera(fitted, SIZE)
    assert len(set(asked)) == 3


def test_displacements_are_those_of_the_lens() -> None:
    K = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])
    lens = Lens("SIMPLE_RADIAL", (-0.2,))
    radius = np.hypot(320, 240) / 600
    assert displacement_at_corner(lens, K, SIZE) == pytest.approx(-0.2 * radius**2)
    near = np.array([[319.5 + 300 * (1 - 0.2 * 0.25), 239.5], [319.5, 239.5]])
    assert displacement_px(lens, K, near) == pytest.approx(300 * 0.2 * 0.25)
