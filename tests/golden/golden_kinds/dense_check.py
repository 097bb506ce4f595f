"""How results of the dense family are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase

import torch
from golden_case import Case, Comparison
from golden_mismatch import EXACT, Rule, mismatch, same
from torch import Tensor


def check(case: Case, comparison: Comparison) -> None:
    """Compare every output with the rule of the pattern that has most literal characters; without a rule it
    must be equal.

    An output that nobody produced fails. Booleans are stored as bytes, scalars as arrays of one element.
    """
    problems = []
    for key, expected in comparison.expected.items():
        if any(fnmatchcase(key, pattern) for pattern in comparison.free):
            continue
        if key not in comparison.actual:
            problems.append(f"{key}: not produced")
            continue
        actual = torch.as_tensor(comparison.actual[key]).detach()
        problems += _mismatch(key, actual, expected, rule_of(case, key, actual.dtype))
    assert set(comparison.expected) == set(case.outputs), "a handler must not lose outputs"
    assert not problems, f"{case.folder.name}:\n" + "\n".join(problems)


def rule_of(case: Case, key: str, dtype: torch.dtype) -> Rule:
    """Return the rule for an output; patterns behind `f32:` hold for runs in single precision, and go before
    the others.
    """
    rules: Mapping[str, Rule] = case.description.get("tolerances", {})
    single = (
        {pattern.removeprefix("f32:"): rule for pattern, rule in rules.items() if pattern.startswith("f32:")}
        if dtype == torch.float32
        else {}
    )
    double = {pattern: rule for pattern, rule in rules.items() if not pattern.startswith("f32:")}
    for chosen in (single, double):
        matching = [pattern for pattern in chosen if fnmatchcase(key, pattern)]
        if matching:
            rule = chosen[max(matching, key=lambda pattern: len(pattern.replace("*", "")))]
            return {"atol": 0.0, **rule} if "rtol" in rule else rule
    return {"rtol": 0.0, "atol": 0.0}


def _mismatch(key: str, actual: Tensor, expected: Tensor, rule: Rule) -> list[str]:
    """Return a line for each number of its rule that an array violates."""
    if actual.ndim == 0:
        actual = actual[None]
    if "atol" in rule or actual.shape != expected.shape or expected.numel() == 0:
        problems = mismatch(key, actual, expected, {**EXACT, **rule})
        if problems:
            return problems
    a, b = actual.double(), expected.double()
    measured = {name: _measure(name, a, b) for name in rule if name not in EXACT and expected.numel()}
    return [
        f"{key}: {name} {value:.3g}, allowed {rule[name]:g}"
        for name, value in measured.items()
        if not value <= rule[name]
    ]


def _measure(name: str, a: Tensor, b: Tensor) -> float:
    """Return what the rule's number of that name bounds; not finite where a finite number was expected, or
    the reverse, is infinitely wrong.
    """
    equal = same(a, b)
    if name == "max_different_pixels":
        return float((~equal).sum())
    if not bool((equal | (a.isfinite() & b.isfinite())).all()):
        return math.inf
    a, b = torch.where(b.isfinite(), a, 0.0), torch.where(b.isfinite(), b, 0.0)
    match name:
        case "max_abs":
            return (a - b).abs().max().item()
        case "median_rel":
            return torch.where(equal, 0.0, (a / b - 1).abs()).median().item()
        case "degrees":
            chord = torch.linalg.matrix_norm(a[..., :3, :3] - b[..., :3, :3]) / 8**0.5
            return torch.rad2deg(2 * chord.clamp(max=1).asin()).max().item()
        case "translation":
            return (a[..., :3, 3] - b[..., :3, 3]).abs().max().item()
    raise AssertionError(f"tolerance {name!r} is not known")
