"""The comparison with goldens itself: it must not be able to pass by accident."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden_case import Case, Comparison, check_tolerances
from safetensors.torch import save_file


def case_of(folder: Path, expected: dict[str, torch.Tensor], tolerances: dict) -> Case:
    save_file(expected, folder / "outputs.safetensors")
    return Case(folder, {"kind": "any", "tolerances": tolerances, "uses": []})


def passes(folder: Path, actual: dict, expected: dict, tolerances: dict | None = None) -> bool:
    case = case_of(folder, expected, tolerances or {"*": {"rtol": 0, "atol": 1e-6}})
    try:
        check_tolerances(case, Comparison(actual, case.outputs))
    except AssertionError:
        return False
    return True


ONE = torch.ones(4, dtype=torch.float64)


def test_an_output_that_nobody_produced_fails(tmp_path):
    assert not passes(tmp_path, {"a": ONE}, {"a": ONE, "b": ONE.clone()})
    assert passes(tmp_path, {"a": ONE, "more": ONE}, {"a": ONE})


def test_an_output_without_tolerance_fails(tmp_path):
    assert not passes(tmp_path, {"a": ONE}, {"a": ONE}, {"b": {"rtol": 0, "atol": 1}})


def test_another_shape_fails_even_where_it_would_broadcast(tmp_path):
    assert not passes(tmp_path, {"a": ONE[:1]}, {"a": ONE})


def test_the_last_matching_pattern_wins_over_the_default(tmp_path):
    wide, narrow = {"rtol": 0, "atol": 1}, {"rtol": 0, "atol": 1e-9}
    off = {"a/x": ONE + 0.1}
    assert passes(tmp_path, off, {"a/x": ONE}, {"*": narrow, "a/*": wide})
    assert not passes(tmp_path, off, {"a/x": ONE}, {"a/*": wide, "*/x": narrow})
    assert passes(tmp_path, off, {"a/x": ONE}, {"a/*": wide, "*": narrow})


@pytest.mark.parametrize(
    ("value", "other", "good"),
    [
        ("nan", "nan", True),
        ("inf", "inf", True),
        ("inf", "-inf", False),
        ("nan", "0", False),
        ("0", "nan", False),
    ],
)
def test_values_that_are_not_finite_must_be_the_same(tmp_path, value, other, good):
    actual, expected = ONE.clone(), ONE.clone()
    actual[0], expected[0] = float(value), float(other)
    assert passes(tmp_path, {"a": actual}, {"a": expected}) == good


def test_some_decisions_may_differ_up_to_the_given_share(tmp_path):
    actual = ONE.clone()
    actual[0] = 9
    for share, good in ((0.25, True), (0.2, False)):
        assert (
            passes(
                tmp_path,
                {"a": actual},
                {"a": ONE},
                {"*": {"rtol": 0, "atol": 0, "max_mismatch_fraction": share}},
            )
            == good
        )
