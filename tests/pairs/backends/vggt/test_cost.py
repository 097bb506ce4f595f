"""What a pass is said to cost."""

from __future__ import annotations

import os

import pytest
import torch
from small_vggt import small_config, small_vggt

from pairs.backends.vggt.cost import PassCost, device_memory, in_words, num_weights, pass_cost
from pairs.networks.vggt.config import VGGT_1B, with_heads


def published() -> PassCost:
    return pass_cost(with_heads(VGGT_1B, frozenset({"camera", "depth"})), (392, 518), 2)


def test_weights_are_counted_without_being_made() -> None:
    assert num_weights(small_config()) == sum(p.numel() for p in small_vggt().parameters())


def test_the_published_network_costs_what_was_measured() -> None:
    found = published()
    assert found.teraflop(1) == pytest.approx(1.9, rel=0.1)
    assert found.teraflop(100) / found.teraflop(50) > 3  # all photos look at all
    assert 4.6 < found.gigabytes(1) < 6.5
    assert 0.03 < found.gigabytes(101) - found.gigabytes(100) < 0.2


def test_so_many_photos_fit_and_not_one_more() -> None:
    found = published()
    for free in (7e9, 16e9, 80e9):
        fit = found.frames_within(free)
        assert 1e9 * found.gigabytes(fit) <= 0.9 * free < 1e9 * found.gigabytes(fit + 1)
    assert found.frames_within(4e9) == 0


def test_the_time_is_said_where_one_core_works() -> None:
    assert "min of one core" in in_words(published(), 16, torch.device("cpu"))
    assert "min" not in in_words(published(), 16, torch.device("cuda"))


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="nobody tells this machine's memory")
def test_free_memory_is_within_that_of_the_machine() -> None:
    free = device_memory(torch.device("cpu"))
    assert free is not None
    assert 1e6 < free < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
