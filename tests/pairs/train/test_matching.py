from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from train_batches import batch_of

from masks.errors import UserError
from pairs.train.batch import Correspondences
from pairs.train.criteria import APLoss, InfoNCE
from pairs.train.matching import ConfMatchingLoss, MatchingLoss, match_losses, shuffled, unused_pixels

MODES = ("all", "proper", "dual")


def plain_infonce(similarity: torch.Tensor, mode: str, temperature: float) -> list[float]:
    """Return the losses of one sample (N, N), term by term."""
    similarity = [[math.exp(float(s) / temperature) for s in row] for row in similarity]
    losses = []
    for i in range(len(similarity)):
        row, column = sum(similarity[i]), sum(line[i] for line in similarity)
        everything = sum(map(sum, similarity))
        own = similarity[i][i]
        losses.append(
            {
                "all": -math.log(own / everything),
                "proper": -math.log(own / row) - math.log(own / column),
                "dual": -math.log(own**2 / (row * column)),
            }[mode]
        )
    return losses


@pytest.mark.parametrize("mode", MODES)
def test_infonce_is_its_definition(mode):
    similarity = torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = InfoNCE(mode, temperature=0.5).per_match(similarity)
    for sample in range(2):
        assert found[sample].tolist() == pytest.approx(plain_infonce(similarity[sample], mode, 0.5))


@given(seed=st.integers(0, 50))
def test_precision_is_one_over_the_rank_of_the_match(seed):
    similarity = torch.randn(1, 6, 9, generator=torch.Generator().manual_seed(seed))
    found = APLoss().per_match(similarity)[0]
    for i in range(6):
        rank = 1 + sorted(similarity[0, i].tolist(), reverse=True).index(float(similarity[0, i, i]))
        assert float(found[i]) == pytest.approx(1 / rank)


def test_a_similarity_that_is_no_number_counts_as_zero():
    similarity = torch.zeros(1, 3, 3)
    similarity[0, 0, 1] = torch.nan
    assert torch.equal(InfoNCE("dual").per_match(similarity), InfoNCE("dual").per_match(torch.zeros(1, 3, 3)))


@given(seed=st.integers(0, 30), mode=st.sampled_from(MODES))
def test_the_order_of_correspondences_does_not_matter(seed, mode):
    batch = batch_of(seed)
    other = replace(batch, correspondences=shuffled(batch.correspondences, np.random.default_rng(seed)))
    loss = MatchingLoss(InfoNCE(mode, temperature=0.3))
    assert_close(
        loss.evaluate(other, np.random.default_rng(0)).value,
        loss.evaluate(batch, np.random.default_rng(0)).value,
    )


def test_pixels_that_do_not_match_are_negatives_only():
    batch = batch_of(1)
    loss = MatchingLoss(InfoNCE("proper", temperature=0.3))
    found = match_losses(loss, batch, np.random.default_rng(0))
    matched = batch.correspondences.matched
    assert_close(loss.evaluate(batch, np.random.default_rng(0)).value, found.loss[matched].mean())
    kept = 4
    assert matched[0, :kept].any()
    first = batch.correspondences
    shorter = replace(
        batch,
        correspondences=Correspondences(first.xy_a[:, :kept], first.xy_b[:, :kept], first.matched[:, :kept]),
    )
    assert (match_losses(loss, shorter, np.random.default_rng(0)).loss < found.loss[:, :kept]).all()


def test_blocks_are_the_loss_of_shuffled_parts_for_several_samples():
    batch = batch_of(2, batch_size=3)
    loss = MatchingLoss(InfoNCE("proper", temperature=0.3))
    blocked = match_losses(replace(loss, blocksize=4), batch, np.random.default_rng(7))
    order = shuffled(batch.correspondences, np.random.default_rng(7))
    for sample in range(3):
        for start in range(0, 12, 4):
            part = Correspondences(
                *(
                    values[sample : sample + 1, start : start + 4]
                    for values in (order.xy_a, order.xy_b, order.matched)
                )
            )
            one = replace(
                batch,
                a=replace(batch.a, desc=batch.a.desc[sample : sample + 1]),
                b=replace(batch.b, desc=batch.b.desc[sample : sample + 1]),
                correspondences=part,
            )
            expected = match_losses(loss, one, np.random.default_rng(0)).loss
            assert_close(blocked.loss[sample : sample + 1, start : start + 4], expected)


def test_blocks_that_do_not_divide_are_refused():
    with pytest.raises(UserError, match="12 correspondences do not fall into blocks of 5"):
        MatchingLoss(InfoNCE("proper"), blocksize=5).evaluate(batch_of(0), np.random.default_rng(0))


def test_equal_seeds_give_equal_bits():
    loss = MatchingLoss(InfoNCE("proper"), blocksize=4)
    values = [loss.evaluate(batch_of(5), np.random.default_rng(3)).value for _ in range(2)]
    assert torch.equal(*values)


def test_padding_takes_the_first_pixels_without_correspondence():
    batch = batch_of(3)
    xy, desc = batch.correspondences.xy_b, batch.b.desc
    found = unused_pixels(desc, xy, 10)
    for sample in range(2):
        used = {(x, y) for x, y in xy[sample].tolist()}
        free = [(x, y) for y in range(6) for x in range(7) if (x, y) not in used][:10]
        assert torch.equal(found[sample], torch.stack([desc[sample, y, x] for x, y in free]))
    assert unused_pixels(desc, xy, 1000).shape[1] == 30


def test_padding_makes_finding_a_match_harder_and_is_refused_from_both_sides():
    batch = batch_of(4)
    plain = MatchingLoss(InfoNCE("all", temperature=0.3)).evaluate(batch, np.random.default_rng(0)).value
    padded = (
        MatchingLoss(InfoNCE("all", temperature=0.3), negatives_padding=5)
        .evaluate(batch, np.random.default_rng(0))
        .value
    )
    assert padded > plain
    with pytest.raises(UserError, match="negatives_padding=0"):
        MatchingLoss(InfoNCE("proper"), negatives_padding=5).evaluate(batch, np.random.default_rng(0))


def test_no_match_at_all_costs_nothing():
    batch = batch_of(5)
    corr = batch.correspondences
    none = replace(
        batch, correspondences=Correspondences(corr.xy_a, corr.xy_b, torch.zeros_like(corr.matched))
    )
    assert float(MatchingLoss(InfoNCE()).evaluate(none, np.random.default_rng(0)).value) == 0
    result = ConfMatchingLoss(MatchingLoss(InfoNCE()), 1.0, neg_conf_loss_quantile=0.5).evaluate(
        none, np.random.default_rng(0)
    )
    assert float(result.value) == 0


def test_confidence_of_shuffled_matches_stays_with_them():
    batch = batch_of(6)
    one_block = ConfMatchingLoss(MatchingLoss(InfoNCE("all"), blocksize=12), 1.0)
    assert_close(
        one_block.evaluate(
            replace(batch, correspondences=shuffled(batch.correspondences, np.random.default_rng(1))),
            np.random.default_rng(0),
        ).value,
        one_block.evaluate(batch, np.random.default_rng(0)).value,
    )


def test_a_network_without_descriptors_is_named():
    batch = batch_of(0)
    with pytest.raises(UserError, match="MatchingLoss needs descriptors"):
        MatchingLoss(InfoNCE()).evaluate(
            replace(batch, a=replace(batch.a, desc=None)), np.random.default_rng(0)
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InfoNCE(temperature=0), "positive"),
        (lambda: MatchingLoss(InfoNCE(), negatives_padding=-1), "too small"),
        (lambda: ConfMatchingLoss(MatchingLoss(APLoss())), "InfoNCE"),
        (lambda: ConfMatchingLoss(MatchingLoss(InfoNCE()), alpha=0), "alpha"),
        (lambda: ConfMatchingLoss(MatchingLoss(InfoNCE()), neg_conf_loss_quantile=2), "between 0 and 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
