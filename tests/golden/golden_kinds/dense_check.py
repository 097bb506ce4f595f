"""How results of the dense family are compared."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import torch
from golden_case import Case, Comparison
from torch import Tensor

Rule = Mapping[str, float]


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
    """Return a line for an array that violates its rule."""
    if actual.ndim == 0:
        actual = actual[None]
    if actual.shape != expected.shape:
        return [f"{key}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"]
    a, b = actual.double(), expected.double()
    if a.numel() == 0:
        return []
    measured = {name: _measure(name, a, b, rule) for name in rule if name != "rtol"}
    return [
        f"{key}: {name} {value:.3g}, allowed {rule[name]:g}"
        for name, value in measured.items()
        if not value <= rule[name]
    ]


def _measure(name: str, a: Tensor, b: Tensor, rule: Rule) -> float:
    """Return what the rule's number of that name bounds; not finite where a finite number was expected, or
    the reverse, is infinitely wrong.
    """
    same = (a == b) | (a.isnan() & b.isnan())
    wrong = torch.where(same, 0.0, (a - b).abs().nan_to_num(nan=torch.inf))
    match name:
        case "atol":
            return (wrong - torch.where(same, 0.0, rule.get("rtol", 0.0) * b.abs())).max().item()
        case "max_abs":
            return wrong.max().item()
        case "median_rel":
            return (a / b - 1).abs().nan_to_num(nan=torch.inf).median().item()
        case "max_different_pixels":
            return float((~same).sum())
        case "degrees":
            chord = torch.linalg.matrix_norm(a[..., :3, :3] - b[..., :3, :3]) / 8**0.5
            return torch.rad2deg(2 * chord.clamp(max=1).asin()).max().item()
        case "translation":
            return (a[..., :3, 3] - b[..., :3, 3]).abs().max().item()
    raise AssertionError(f"tolerance {name!r} is not known")
