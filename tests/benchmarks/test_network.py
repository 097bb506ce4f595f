"""The benchmark counts what goes through the network, and both ways predict the same pairs."""

from __future__ import annotations

import numpy as np
import pytest
from network import Load, disc, matched, measure

LOAD = Load(views=3, height=48, divisor=4, coverage=0.5)


@pytest.mark.parametrize(("batch", "encoded", "decoded"), [(None, 6, 6), (1, 3, 3), (4, 3, 1)])
def test_what_goes_through_the_network_is_counted(batch: int | None, encoded: int, decoded: int) -> None:
    spent = measure(LOAD, batch)
    assert (spent.pairs, spent.encoded, spent.decoded) == (3, encoded, decoded)
    assert spent.seconds > 0


def test_a_disc_covers_what_it_should() -> None:
    assert [round(float(disc((48, 64), share).mean()), 2) for share in (1.0, 0.3, 0.1)] == [1.0, 0.3, 0.1]


def test_matches_stay_inside_the_disc() -> None:
    inside, found = disc((48, 64), 0.3), matched(48, 0.3)
    assert len(found.conf) > 0
    for xy in (found.xy_a.numpy(), found.xy_b.numpy()):
        assert np.all(inside[xy[:, 1], xy[:, 0]])
