"""How results of the VGGT family are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from golden_case import Case, Comparison
from torch import Tensor


def check(case: Case, comparison: Comparison) -> None:
    """Compare every output as the case says: bit for bit, or within its tolerance. An output that nobody
    produced fails.
    """
    rules = case.description["outputs"]
    problems = [
        line
        for key, expected in comparison.expected.items()
        for line in _mismatch(key, comparison.actual.get(key), expected, rules[key])
    ]
    assert set(comparison.expected) == set(case.outputs) == set(rules), "a handler must not lose outputs"
    assert not problems, f"{case.folder.name}:\n" + "\n".join(problems)


def _mismatch(key: str, actual: Tensor | None, expected: Tensor, rule: Mapping[str, Any]) -> list[str]:
    if actual is None:
        return [f"{key}: not produced"]
    if actual.shape != expected.shape:
        return [f"{key}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"]
    if rule["compare"] == "equal":
        wrong = int((actual != expected).sum())
        return [f"{key}: {wrong} of {expected.numel()} values differ"] if wrong else []
    assert rule["compare"] == "close", f"{key}: comparison {rule['compare']!r} is not known"
    a, b = actual.detach().double(), expected.double()
    close = (a - b).abs() <= rule["atol"] + rule["rtol"] * b.abs()
    passed = (close & a.isfinite() & b.isfinite()) | (a == b) | (a.isnan() & b.isnan())
    if bool(passed.all()):
        return []
    worst = (a - b).abs()[~passed].nan_to_num(nan=torch.inf).max().item()
    return [
        (
            f"{key}: {int((~passed).sum())} of {passed.numel()} values differ, by up to {worst:.3g} (rtol "
            f"{rule['rtol']:g}, atol {rule['atol']:g})"
        )
    ]
