from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from pairs.retrieval.head import (
    HeadOptions,
    RetrievalHead,
    Whitener,
    global_feature,
    learned_whitening,
    local_features,
    number_of_features,
)


def tokens_of(seed: int) -> torch.Tensor:
    return torch.randn(2, 10, 6, generator=torch.Generator().manual_seed(seed))


def test_learned_whitening_leaves_mean_zero_and_covariance_one():
    rows = (
        tokens_of(0).flatten(0, 1).double()
        @ torch.randn(6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        + 3
    )
    whitener = Whitener(6)
    mean, projection = learned_whitening(rows)
    whitener.load_state_dict({"m": mean, "p": projection})
    white = whitener(rows)
    assert_close(white.mean(0), torch.zeros(6, dtype=torch.float64), atol=1e-9, rtol=0)
    assert_close(white.mT @ white / len(rows), torch.eye(6, dtype=torch.float64), atol=1e-9, rtol=0)


def test_directions_without_variance_stay_finite():
    rows = torch.zeros(5, 3, dtype=torch.float64)
    rows[:, 0] = torch.arange(5.0)
    mean, projection = learned_whitening(rows)
    white = (rows - mean) @ projection
    assert white.isfinite().all()
    # All the variance there is, in one direction, becomes one; the others have none to stretch.
    variance = (white**2).mean(0).sort(descending=True).values
    assert_close(variance, torch.tensor([1.0, 0, 0], dtype=torch.float64), atol=1e-6, rtol=0)


def test_whitening_returns_the_type_it_was_given():
    assert Whitener(6)(tokens_of(0)).dtype == torch.float32


def test_local_features_have_the_largest_attention_and_stand_in_its_order():
    head = RetrievalHead(HeadOptions(dim=6, num_features=4))
    found = local_features(head, tokens_of(2))
    lengths = tokens_of(2).norm(dim=-1)
    for image in range(2):
        assert found.index[image].tolist() == lengths[image].argsort(descending=True)[:4].tolist()
        assert_close(found.features[image], tokens_of(2)[image, found.index[image]])
        assert_close(found.attention[image], lengths[image, found.index[image]])


@pytest.mark.parametrize(
    ("wanted", "tokens", "expected"), [(300, 192, 192), (300, 768, 300), (-0.5, 7, 3), (-1, 8, 8), (0, 8, 0)]
)
def test_numbers_of_features(wanted, tokens, expected):
    assert number_of_features(wanted, tokens) == expected


def test_the_attention_is_that_before_the_last_whitening():
    head = RetrievalHead(HeadOptions(dim=6, postwhiten=True))
    head.postwhiten.load_state_dict({"m": torch.ones(1, 6), "p": 2 * torch.eye(6)})
    features, attention = head(tokens_of(3))
    assert_close(attention, tokens_of(3).norm(dim=-1))
    assert_close(features, 2 * (tokens_of(3) - 1))


def test_a_global_feature_has_length_one():
    head = RetrievalHead(HeadOptions(dim=6, hidden_dims=(5, 6), residual=True))
    assert_close(global_feature(head, tokens_of(4)).norm(dim=-1), torch.ones(2))


def test_names_of_the_projector_are_those_of_published_files():
    names = set(RetrievalHead(HeadOptions(dim=6, hidden_dims=(5, 4), prewhiten=True)).state_dict())
    assert names == {"prewhiten.m", "prewhiten.p"} | {
        f"projector.{k}.{part}" for k in (0, 1, 3) for part in ("weight", "bias")
    }


def test_a_residual_needs_equal_widths():
    with pytest.raises(ValueError, match="residual"):
        HeadOptions(dim=6, hidden_dims=(5,), residual=True)
