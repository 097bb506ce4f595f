"""Colours that are pooled over all views."""

from __future__ import annotations

import numpy as np
from still_backdrops import SIZE, disc_before, plain_backdrop

from masks.making.colour import box_of, colour_model, with_colour
from masks.making.evidence import Evidence


def known(masks: tuple[np.ndarray, ...], strength: float = 3.0) -> Evidence:
    return Evidence(tuple(np.where(m, strength, -strength).astype(np.float32) for m in masks), "test")


def test_colours_that_tell_apart_overlap_little_and_count_in_full() -> None:
    still = disc_before(plain_backdrop(), num_views=3)
    model = colour_model(still.photos, known(still.masks))
    assert model.overlap < 0.03
    assert model.weight == 1


def test_shared_colours_overlap_and_count_little() -> None:
    still = disc_before(plain_backdrop(), num_views=3)
    rng = np.random.default_rng(0)
    photos = tuple(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for _ in still.photos)
    model = colour_model(photos, known(still.masks))
    assert model.overlap > 0.3
    assert model.weight == 0.3


def test_one_view_learns_from_another() -> None:
    still = disc_before(plain_backdrop(), num_views=2)
    logits = (known(still.masks).logits[0], np.zeros(SIZE, np.float32))
    evidence = Evidence(logits, "test")
    coloured = with_colour(evidence, still.photos, colour_model(still.photos, evidence))
    assert ((coloured.logits[1] > 0) != still.masks[1]).mean() < 0.03


def test_masks_of_an_earlier_pass_teach_only_where_the_evidence_agrees() -> None:
    still = disc_before(plain_backdrop(), num_views=2)
    evidence = known(still.masks)
    everything = tuple(np.ones(SIZE, bool) for _ in still.masks)
    model = colour_model(still.photos, evidence, everything)
    backdrop = still.photos[0][2, 2].astype(int) * 24 // 256
    assert model.log_ratio[tuple(backdrop)] <= 0


def test_without_seeds_colours_say_nothing() -> None:
    still = disc_before(plain_backdrop(), num_views=2)
    evidence = Evidence(tuple(np.zeros(SIZE, np.float32) for _ in still.masks), "test")
    model = colour_model(still.photos, evidence)
    np.testing.assert_array_equal(model.log_ratio, 0)
    assert model.overlap == 1


def test_the_box_holds_the_largest_piece_and_a_margin() -> None:
    logits = np.full((200, 200), -1, np.float32)
    logits[80:120, 90:110] = 1
    logits[5:8, 5:8] = 1
    assert box_of(logits) == (slice(56, 144), slice(66, 134))
    assert box_of(np.full((20, 20), -1, np.float32)) is None
