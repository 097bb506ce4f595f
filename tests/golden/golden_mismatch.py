"""How one array is compared with a stored one, in whatever words its family of goldens writes tolerances."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Rule = Mapping[str, float]

EXACT: Rule = {"rtol": 0.0, "atol": 0.0}


def mismatch(key: str, actual: Tensor | None, expected: Tensor, rule: Rule) -> list[str]:
    """Return a line for an array that violates its rule: nothing, where it agrees.

    A value agrees when it is the same, or within `atol + rtol * |expected|`; `max_mismatch_fraction` of all
    values need not agree.
    """
    if actual is None:
        return [f"{key}: not produced"]
    if actual.shape != expected.shape:
        return [f"{key}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"]
    actual = actual.detach()
    a, b = actual.double(), expected.double()
    tolerance = rule["atol"] + rule["rtol"] * b.abs()
    # Where the expected value is infinite, so is the tolerance, and every number would be within it.
    close = ((a - b).abs() <= tolerance) & (tolerance > 0) & a.isfinite() & b.isfinite()
    passed = same(actual, expected) | close
    wrong = int((~passed).sum())
    if wrong <= rule.get("max_mismatch_fraction", 0) * passed.numel():
        return []
    worst = (a - b).abs()[~passed].nan_to_num(nan=torch.inf).max().item()
    allowed = f"rtol {rule['rtol']:g}, atol {rule['atol']:g}"
    return [f"{key}: {wrong} of {passed.numel()} values differ, by up to {worst:.3g} ({allowed})"]


def same(actual: Tensor, expected: Tensor) -> Tensor:
    """Return where two arrays hold the same: equal numbers, the same infinity, or both NaN."""
    # Integers are compared as they are: a double does not hold all of them.
    return (actual == expected) | (actual.isnan() & expected.isnan())
