"""What a K is when it is none of the picture: named where the pointmaps show it, else only contradicted."""

from __future__ import annotations

import numpy as np
import pytest

from align.measurements.pinhole_fit import fit_pinhole
from align.measurements.stated_intrinsics import judge_intrinsics

SIZES = [((80, 60), 111.0), ((512, 384), 560.0), ((384, 512), 560.0), ((224, 160), 246.0)]
NETWORKS = [(0.0, 0.0), (0.08, 0.02), (-0.08, -0.02)]
"""By how much a network is off: share of the focal, and of the width."""


def K(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def of_photo(size: tuple[int, int], focal: float, x: float, y: float) -> np.ndarray:
    """Return K of a picture so many times as wide and high."""
    return K(focal * x, focal * y, size[0] * x / 2 - 0.5, size[1] * y / 2 - 0.5)


def judged(
    stated: np.ndarray, size: tuple[int, int], focal: float, network: tuple[float, float]
) -> tuple[str, bool] | None:
    error, shift = (1 + network[0]) * focal, network[1] * size[0]
    return judge_intrinsics(
        stated, K(error, error, size[0] / 2 - 0.5 + shift, size[1] / 2 - 0.5 - shift), size
    )


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("size", "focal"), SIZES)
def test_a_K_of_the_picture_passes_in_silence(
    size: tuple[int, int], focal: float, network: tuple[float, float]
) -> None:
    w, h = size
    for stated in (
        K(focal, focal, w / 2, h / 2),
        of_photo(size, focal, 1, 1),
        K(focal, 1.05 * focal, 0.53 * w, 0.48 * h),
    ):
        assert judged(stated, size, focal, network) is None


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("size", "focal"), SIZES)
@pytest.mark.parametrize(
    "times", [(8, 8), (5.3, 5.3), (2, 2), (1.5, 1.5), (1.25, 1.25), (0.5, 0.5), (0.25, 0.25), (4, 3)]
)
def test_a_K_of_another_size_is_named_with_that_size_and_the_right_K(
    times: tuple[float, float], size: tuple[int, int], focal: float, network: tuple[float, float]
) -> None:
    found = judged(of_photo(size, focal, *times), size, focal, network)
    assert found is not None
    text, certain = found
    assert certain
    assert "It fits a picture of about" in text
    if all(side * t == int(side * t) for side, t in zip(size, times)):
        assert f"about {int(size[0] * times[0])}x{int(size[1] * times[1])} pixels" in text
    said = float(text[text.index(": [[") + 4 :].partition(",")[0])
    assert said == pytest.approx(focal, rel=0.01)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("size", "focal"), SIZES)
def test_other_readings_are_named_each_by_its_own_name(
    size: tuple[int, int], focal: float, network: tuple[float, float]
) -> None:
    (w, h), f = size, focal
    kinds = {
        "units of the picture's width and height": K(f / w, f / h, 0.5, 0.5),
        "units of the picture's width.": K(f / w, f / w, 0.5, h / w / 2),
        "from -1 to 1": K(2 * f / w, 2 * f / h, 0, 0),
        "from the middle": K(f, f, 0, 0),
        "Width and height are exchanged in it, as of a picture turned by 90 degrees.": K(
            f, f, h / 2 - 0.5, w / 2 - 0.5
        ),
        "turned by 90 degrees, one of about": K(7.8 * f, 7.8 * f, 3.9 * h - 0.5, 3.9 * w - 0.5),
    }
    for words, stated in kinds.items():
        found = judged(stated, size, focal, network)
        assert found is not None
        assert words in found[0]
        assert found[1]
        assert sum(other in found[0] for other in kinds) == 1


def test_a_picture_that_was_cut_may_be_one() -> None:
    found = judged(K(333, 333, 2.1 * 80 - 0.5, 1.5 * 60 - 0.5), (80, 60), 111.0, NETWORKS[0])
    assert found is not None
    assert "It may be of one of about 336x180 pixels, before it was resized and cut" in found[0]
    assert "If so, state K" in found[0]
    assert found[1]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("size", "focal"), SIZES)
def test_where_no_reading_is_sure_none_is_named(
    size: tuple[int, int], focal: float, network: tuple[float, float]
) -> None:
    (w, h), f = size, focal
    cases = [
        (K(3 * f, 3 * f, 2.7 * w, 2.4 * h), True),  # a photo of which a corner was cut out
        (K(f, 2 * f, w / 2, h / 2), True),
        (K(8 * f, 8 * f, w / 2, h / 2), True),
        (K(1.6 * f, 1.6 * f, w / 2, h / 2), False),  # so wrong are networks with long lenses
        (K(36 * f / w, 36 * f / w, w / 2, h / 2), True),  # millimetres on film of 36 mm
    ]
    for stated, certain in cases:
        found = judged(stated, size, focal, network)
        assert found is not None
        assert found[1] is certain
        assert ("By the pointmaps it would be about" in found[0]) != ("It may be" in found[0])
        assert "It fits" not in found[0]
        assert ("If it is in millimetres" in found[0]) == (stated is cases[4][0])


def test_a_principal_point_off_the_middle_is_only_doubted() -> None:
    found = judged(K(111, 111, 52, 30), (80, 60), 111.0, NETWORKS[0])
    assert found is not None
    assert not found[1]
    assert "If so, state K" in found[0]


def points(true: np.ndarray, size: tuple[int, int], noise: float) -> np.ndarray:
    """Return a pointmap (H, W, 3) of a bumpy surface, seen with these intrinsics."""
    y, x = np.mgrid[: size[1], : size[0]].astype(float)
    depth = 4 + 0.3 * np.sin(x / 9) * np.cos(y / 7)
    rays = np.stack([(x - true[0, 2]) / true[0, 0], (y - true[1, 2]) / true[1, 1], np.ones_like(x)], -1)
    return rays * depth[..., None] * (1 + noise * np.random.default_rng(0).standard_normal((*depth.shape, 3)))


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.02])
def test_pointmaps_tell_both_focals_and_the_principal_point(noise: float) -> None:
    true = K(100, 130, 55, 20)
    mask = np.zeros((60, 80), bool)
    mask[10:50, 5:70] = True
    maps = points(true, (80, 60), noise)
    maps[~mask] = 7.0  # never read
    maps[12:14] = np.nan
    maps[20:22, 10:60] *= (3, 3, 1)  # a few rows that lie
    found = fit_pinhole([maps, 3 * maps], mask)
    assert found is not None
    np.testing.assert_allclose(found, true, atol=2 if noise else 1.0)


def test_what_is_no_picture_of_a_pinhole_tells_none() -> None:
    rng = np.random.default_rng(0)
    inside = np.ones((60, 80), bool)
    assert fit_pinhole([rng.uniform(1, 2, (60, 80, 3))], inside) is None
    assert fit_pinhole([points(K(100, 100, 40, 30), (80, 60), 0)[:, ::-1]], inside) is None  # a mirrored one
    assert fit_pinhole([points(K(100, 100, 40, 30), (80, 60), 0)], inside & (np.arange(80) == 3)) is None
    assert fit_pinhole([], inside) is None
