"""What depth maps are said to cost."""

from __future__ import annotations

import numpy as np
import pytest

from masks.errors import ReconstructionError
from masks.mask import Mask
from masks.pixelmap import identity
from pairs.backends.classical.stereo.cost import depth_cost, require_depth_memory
from pairs.views.view import View


def turntable(size: tuple[int, int], share: float) -> list[View]:
    """Return eight views whose object covers a share of the photo."""
    w, h = size
    pixels = np.zeros((h, w), bool)
    pixels[: round(share * h)] = True
    image, mask = np.zeros((h, w, 3), np.uint8), Mask(pixels, "drawn")
    return [View(f"{k}", None, image, identity(size), mask, f"{k}") for k in range(8)]


@pytest.mark.parametrize(
    ("size", "share", "cpu_seconds", "gigabytes"),
    [
        ((768, 744), 0.35, 32.8, 0.98),
        ((1024, 768), 0.23, 20.4, 1.29),
        ((1024, 992), 0.35, 29.9, 1.43),
        ((1600, 1200), 0.23, 35.5, 2.30),
        ((1480, 1416), 0.33, 52.9, 2.23),
    ],
)
def test_the_estimate_is_near_what_was_measured(
    size: tuple[int, int], share: float, cpu_seconds: float, gigabytes: float
) -> None:
    cost = depth_cost(turntable(size, share), 1)
    assert cost.cpu_seconds == pytest.approx(cpu_seconds, rel=0.25)
    assert cost.bytes / 1e9 == pytest.approx(gigabytes, rel=0.25)


def test_too_large_depth_maps_are_refused_with_a_side_that_fits() -> None:
    views = turntable((1600, 1200), 0.23)
    cost = depth_cost(views, 2)
    require_depth_memory(views, cost, None)
    require_depth_memory(views, cost, cost.bytes)
    with pytest.raises(ReconstructionError, match=r"1600 pixels for 8 photos .*`longest=(\d+)`") as refused:
        require_depth_memory(views, cost, 0.7 * cost.bytes)
    side = int(str(refused.value).split("longest=")[1].split("`")[0])
    smaller = turntable((side, side * 3 // 4), 0.23)
    require_depth_memory(smaller, depth_cost(smaller, 2), 0.7 * cost.bytes)
    with pytest.raises(ReconstructionError, match="fewer photos"):
        require_depth_memory(views, cost, 0.4e9)
