"""How results of the network family are compared."""

from __future__ import annotations

from golden_case import Case, Comparison
from golden_mismatch import EXACT, Rule, mismatch
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
        problems += mismatch(key, comparison.actual.get(key), expected, _rule(key, expected, tolerances[key]))
    assert set(comparison.expected) == set(case.outputs), "a handler must not lose outputs"
    assert not problems, f"{case.folder.name}:\n" + "\n".join(problems)


def _rule(key: str, expected: Tensor, written: Rule | str) -> Rule:
    if written == "exact" or not expected.is_floating_point():
        return EXACT
    assert not isinstance(written, str), f"{key}: tolerance {written!r} is not known"
    return written
