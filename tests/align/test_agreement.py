"""What matches say of a solution, and what the report makes of it."""

from __future__ import annotations

import numpy as np
import torch

from align.agreement import agreement_notices, agreement_of

NAMES = ("a.png", "b.png", "c.png", "d.png")
VIEW = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2])
ERROR = torch.tensor([0.5, 1.0, 2.0, 9.0, 1.0, 1.0, 1.5, 30.0, 3.0, 5.0, 1.0, 8.0, 1e3], dtype=torch.float64)
AGREEMENT = agreement_of(ERROR, VIEW, 4)
"""Views 0 and 1 agree, view 2 does not, view 3 has no matches."""


def test_shares_are_those_within_two_pixels() -> None:
    np.testing.assert_allclose(AGREEMENT.view_near_share, [0.75, 0.75, 0.2, np.nan])
    assert AGREEMENT.near_share == 7 / 13
    assert AGREEMENT.usual_share == 0.75


def test_an_error_counts_two_pixels_at_most() -> None:
    assert AGREEMENT.cut_mean_px == ERROR.clamp(max=2).mean()
    assert AGREEMENT.median_px == 2


def test_views_that_disagree_or_are_unchecked_are_named() -> None:
    said = agreement_notices(AGREEMENT, NAMES, 0.25)
    assert [notice.subject for notice in said] == ["d.png", "c.png"]
    assert "no matches" in said[0].text
    assert "20 % of its matches" in said[1].text


def test_a_scene_is_doubtful_below_the_share_that_the_aligner_states() -> None:
    assert agreement_notices(AGREEMENT, NAMES, 0.6)[0].subject == "alignment"


def test_without_matches_every_figure_is_absent() -> None:
    nothing = agreement_of(torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.int64), 2)
    assert nothing.figures() == {
        "median reprojection error px": None,
        "mean reprojection error cut at 2 px": None,
        "share within 2 px": None,
        "share within 2 px by view": [None, None],
    }
    assert not len(nothing.misplaced)
