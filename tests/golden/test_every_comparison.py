"""What holds for the comparisons of all four families: none of them can pass by accident."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from golden_case import Case, Comparison, check_tolerances
from golden_kinds import dense_check, network_check, vggt_check
from safetensors.torch import save_file
from torch import Tensor

INF, NAN = float("inf"), float("nan")

# Each family writes the same tolerance in its own words.
FAMILIES: dict[str, tuple[Callable[[Case, Comparison], None], Callable[[float, float], dict]]] = {
    "sparse": (check_tolerances, lambda rtol, atol: {"tolerances": {"*": {"rtol": rtol, "atol": atol}}}),
    "dense": (dense_check.check, lambda rtol, atol: {"tolerances": {"*": {"rtol": rtol, "atol": atol}}}),
    "network": (network_check.check, lambda rtol, atol: {"tolerances": {"a": {"rtol": rtol, "atol": atol}}}),
    "vggt": (
        vggt_check.check,
        lambda rtol, atol: {"outputs": {"a": {"compare": "close", "rtol": rtol, "atol": atol}}},
    ),
}

each_family = pytest.mark.parametrize("family", FAMILIES)


def passes(
    folder: Path,
    family: str,
    actual: list[float],
    expected: list[float],
    rtol: float = 0.1,
    atol: float = 0.1,
) -> bool:
    check, described = FAMILIES[family]
    return checked(
        folder, check, described(rtol, atol), torch.tensor(actual).float(), torch.tensor(expected).float()
    )


def checked(
    folder: Path, check: Callable, description: dict, actual: Tensor | None, expected: Tensor
) -> bool:
    save_file({"a": expected}, folder / "outputs.safetensors")
    case = Case(folder, {"kind": "any", **description})
    try:
        check(case, Comparison({} if actual is None else {"a": actual}, case.outputs))
    except AssertionError:
        return False
    return True


@each_family
@pytest.mark.parametrize(("rtol", "atol"), [(0.1, 0.1), (0.1, 0.0), (0.0, 0.1), (0.0, 0.0)])
@pytest.mark.parametrize("expected", [INF, -INF, NAN])
def test_a_value_that_is_not_finite_is_met_by_the_same_alone(tmp_path, family, expected, rtol, atol):
    assert passes(tmp_path, family, [1, expected], [1, expected], rtol, atol)
    for other in {INF, -INF, NAN, 0.0, 0.123, -1e30} - {expected}:
        assert not passes(tmp_path, family, [1, other], [1, expected], rtol, atol), other
        assert not passes(tmp_path, family, [1, expected], [1, other], rtol, atol), other


@each_family
def test_infinities_must_stand_in_the_same_places(tmp_path, family):
    assert passes(tmp_path, family, [INF, 1, -INF, NAN], [INF, 1.05, -INF, NAN])
    assert not passes(tmp_path, family, [1, INF, -INF, NAN], [INF, 1, -INF, NAN])


@each_family
def test_finite_values_have_both_tolerances(tmp_path, family):
    assert passes(tmp_path, family, [10.9, 0.05], [10, 0])
    assert not passes(tmp_path, family, [11.2, 0.05], [10, 0])
    assert not passes(tmp_path, family, [10.9, 0.15], [10, 0])


@each_family
def test_another_shape_fails_even_where_it_would_broadcast(tmp_path, family):
    assert not passes(tmp_path, family, [1], [1, 1])


@each_family
def test_an_output_that_nobody_produced_fails(tmp_path, family):
    check, described = FAMILIES[family]
    assert not checked(tmp_path, check, described(1, 1), None, torch.ones(1))


EXACT = {
    "dense": (dense_check.check, {"tolerances": {}}),
    "network": (network_check.check, {"tolerances": {"a": "exact"}}),
    "vggt": (vggt_check.check, {"outputs": {"a": {"compare": "equal"}}}),
}


@pytest.mark.parametrize("family", EXACT)
def test_what_must_be_equal_is_compared_bit_for_bit(tmp_path, family):
    check, description = EXACT[family]
    value = torch.tensor([1.0, INF, NAN])
    assert checked(tmp_path, check, description, value.clone(), value)
    assert not checked(tmp_path, check, description, torch.tensor([1.0 + 2**-23, INF, NAN]), value)
    # A double does not hold every integer of 64 bits.
    large = torch.tensor([2**60])
    assert not checked(tmp_path, check, description, large + 1, large)


def test_integers_of_networks_have_no_tolerance(tmp_path):
    check, described = FAMILIES["network"]
    assert not checked(tmp_path, check, described(1, 1), torch.tensor([4]), torch.tensor([5]))


@pytest.mark.parametrize("rule", [{"max_abs": 1}, {"median_rel": 1}, {"degrees": 180}, {"translation": 1}])
@pytest.mark.parametrize("expected", [INF, -INF, NAN])
def test_every_measure_of_the_dense_family_wants_the_same_infinities(tmp_path, rule, expected):
    pose = torch.eye(4).repeat(3, 1, 1)
    stored, found = pose.clone(), pose.clone()
    stored[0, 0, 3] = stored[1, 1, 1] = expected
    assert not checked(tmp_path, dense_check.check, {"tolerances": {"a": rule}}, found, stored)
    assert checked(tmp_path, dense_check.check, {"tolerances": {"a": rule}}, stored.clone(), stored)
