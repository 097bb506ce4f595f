"""Entries of the store are what their readers expect, or none."""

from __future__ import annotations

import numpy as np
import pytest

from pairs.prediction.layout import Layout, laid_out

LAYOUT: Layout = {"xy": ("float32", ("N", 2)), "conf": ("float64", ("N",))}
FITTING = {"xy": np.zeros((3, 2), np.float32), "conf": np.zeros(3)}


def test_arrays_that_fit_are_handed_on() -> None:
    assert laid_out(FITTING, LAYOUT) is FITTING
    laid_out({"xy": np.zeros((0, 2), np.float32), "conf": np.zeros(0)}, LAYOUT)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"conf": np.zeros(4)}, "conf has the shape"),
        ({"conf": np.zeros((3, 1))}, "conf is float64"),
        ({"conf": np.zeros(3, np.float32)}, "conf is float32"),
        ({"xy": np.zeros((3, 3), np.float32)}, "xy has the shape"),
        ({"more": np.zeros(1)}, "holds conf, more, xy instead of conf, xy"),
    ],
)
def test_what_does_not_fit_is_named(changed: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        laid_out(FITTING | changed, LAYOUT)


def test_a_missing_array_is_named() -> None:
    with pytest.raises(ValueError, match="holds xy instead of conf, xy"):
        laid_out({"xy": FITTING["xy"]}, LAYOUT)
