"""How results of the VGGT family are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from golden_case import Case, Comparison
from golden_mismatch import EXACT, Rule, mismatch


def check(case: Case, comparison: Comparison) -> None:
    """Compare every output as the case says: bit for bit, or within its tolerance. An output that nobody
    produced fails.
    """
    rules = case.description["outputs"]
    problems = []
    for key, expected in comparison.expected.items():
        problems += mismatch(key, comparison.actual.get(key), expected, _rule(key, rules[key]))
    assert set(comparison.expected) == set(case.outputs) == set(rules), "a handler must not lose outputs"
    assert not problems, f"{case.folder.name}:\n" + "\n".join(problems)


def _rule(key: str, written: Mapping[str, Any]) -> Rule:
    if written["compare"] == "equal":
        return EXACT
    assert written["compare"] == "close", f"{key}: comparison {written['compare']!r} is not known"
    return written
