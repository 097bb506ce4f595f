"""How results of the network family are compared."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from golden_case import Case, Comparison
from torch import Tensor


def check(case: Case, comparison: Comparison) -> None:
    """Compare every output with its own tolerance; integers and booleans, and what is marked exact, value by
    value.

    An output that nobody produced fails, and so does one without a tolerance.
    """
    tolerances = case.description["tolerances"]
    problems = []
    for key, expected in comparison.expected.items():
        if key in comparison.free:
            continue
        assert key in tolerances, f"{key} has no tolerance"
        problems += _mismatch(key, comparison.actual.get(key), expected, tolerances[key])
    assert set(comparison.expected) == set(case.outputs), "a handler must not lose outputs"
    assert not problems, f"{case.folder.name}:\n" + "\n".join(problems)


def _mismatch(
    key: str, actual: Tensor | None, expected: Tensor, rule: Mapping[str, float] | str
) -> list[str]:
    """Return a line for an array that violates its rule."""
    if actual is None:
        return [f"{key}: not produced"]
    if actual.shape != expected.shape:
        return [f"{key}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"]
    if rule == "exact" or not expected.is_floating_point():
        wrong = int((actual != expected).sum())
        return [f"{key}: {wrong} of {expected.numel()} values differ"] if wrong else []
    assert not isinstance(rule, str), f"{key}: tolerance {rule!r} is not known"
    a, b = actual.detach().double(), expected.double()
    close = (a - b).abs() <= rule["atol"] + rule["rtol"] * b.abs()
    passed = close | (a == b) | (a.isnan() & b.isnan())
    if bool(passed.all()):
        return []
    worst = (a - b).abs()[~passed].nan_to_num(nan=torch.inf).max().item()
    return [
        (
            f"{key}: {int((~passed).sum())} of {passed.numel()} values differ, by up to {worst:.3g} (rtol "
            f"{rule['rtol']:g}, atol {rule['atol']:g})"
        )
    ]
