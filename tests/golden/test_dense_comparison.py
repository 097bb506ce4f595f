"""The comparison with goldens of the dense family: it must not be able to pass by accident."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden_case import Case, Comparison
from golden_kinds.dense_check import check
from safetensors.torch import save_file
from torch import Tensor


def passes(folder: Path, actual: dict[str, Tensor], expected: dict[str, Tensor], tolerances: dict) -> bool:
    save_file(expected, folder / "outputs.safetensors")
    case = Case(folder, {"kind": "any", "tolerances": tolerances})
    try:
        check(case, Comparison(actual, case.outputs))
    except AssertionError:
        return False
    return True


ONE = torch.ones(4, dtype=torch.float64)
POSE = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1)


def test_without_a_rule_outputs_must_be_equal(tmp_path):
    assert passes(tmp_path, {"a": ONE}, {"a": ONE}, {})
    assert not passes(tmp_path, {"a": ONE + 1e-15}, {"a": ONE}, {})


def test_an_output_that_nobody_produced_fails(tmp_path):
    assert not passes(tmp_path, {}, {"a": ONE}, {"*": {"rtol": 1, "atol": 1}})


def test_another_shape_fails_but_a_scalar_is_an_array_of_one(tmp_path):
    assert not passes(tmp_path, {"a": ONE[:1]}, {"a": ONE}, {"*": {"rtol": 1, "atol": 1}})
    assert passes(tmp_path, {"a": ONE[0]}, {"a": ONE[:1]}, {})


def test_the_rule_with_most_literal_characters_wins(tmp_path):
    wide, narrow = {"rtol": 0, "atol": 1}, {"rtol": 0, "atol": 1e-9}
    assert passes(tmp_path, {"ab.1": ONE + 0.1}, {"ab.1": ONE}, {"ab.*": wide, "*": narrow, "a*": narrow})
    assert not passes(tmp_path, {"ab.1": ONE + 0.1}, {"ab.1": ONE}, {"ab.*": narrow, "*": wide, "a*": wide})


def test_rules_for_single_precision_hold_for_it_alone(tmp_path):
    rules = {"f32:*": {"rtol": 0, "atol": 1}, "*": {"rtol": 0, "atol": 1e-9}}
    assert passes(tmp_path, {"a": (ONE + 0.1).float()}, {"a": ONE}, rules)
    assert not passes(tmp_path, {"a": ONE + 0.1}, {"a": ONE}, rules)


def test_relative_errors_are_relative_to_the_expected_value(tmp_path):
    assert passes(tmp_path, {"a": 100 * ONE + 0.9}, {"a": 100 * ONE}, {"*": {"rtol": 0.01}})
    assert not passes(tmp_path, {"a": 100 * ONE + 1.1}, {"a": 100 * ONE}, {"*": {"rtol": 0.01}})


@pytest.mark.parametrize(
    ("limit", "good"),
    [({"degrees": 1.1, "translation": 0.3}, True), ({"degrees": 0.9, "translation": 0.3}, False)],
)
def test_poses_are_compared_by_angle_and_place(tmp_path, limit, good):
    turned = POSE.clone()
    angle = torch.deg2rad(torch.tensor(1.0, dtype=torch.float64))
    turned[1, :2, :2] = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    turned[2, 0, 3] = 0.2
    assert passes(tmp_path, {"a": turned}, {"a": POSE}, {"a": limit}) == good
    assert not passes(tmp_path, {"a": turned}, {"a": POSE}, {"a": {"degrees": 2, "translation": 0.1}})


def test_counted_and_median_rules(tmp_path):
    off = ONE.clone()
    off[0] = 3
    assert passes(tmp_path, {"a": off}, {"a": ONE}, {"a": {"max_different_pixels": 1}})
    assert not passes(tmp_path, {"a": off}, {"a": ONE}, {"a": {"max_different_pixels": 0}})
    assert passes(tmp_path, {"a": off}, {"a": ONE}, {"a": {"median_rel": 0.01}})
    assert not passes(tmp_path, {"a": off}, {"a": ONE}, {"a": {"max_abs": 1}})


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "rule", [{"rtol": 1, "atol": 1}, {"max_abs": 1}, {"degrees": 10}, {"translation": 1}]
)
def test_what_is_not_finite_fails(tmp_path, bad, rule):
    assert not passes(tmp_path, {"a": torch.full_like(POSE, bad)}, {"a": POSE}, {"a": rule})
