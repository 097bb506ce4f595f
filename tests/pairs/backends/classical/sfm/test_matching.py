"""Descriptors compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masks.errors import SolverError
from pairs.backends.classical.sfm.features import DESCRIPTOR_SCALE, comparable
from pairs.backends.classical.sfm.matching import MatchTask, match_features, merge_doubles, mutual_matches
from pairs.prediction.store import PredictionStore


def whole_matrix_twin(first: np.ndarray, second: np.ndarray, ratio: float) -> np.ndarray:
    """The same in integers, with the whole matrix and a sort of every row."""
    similarity = first.astype(np.int64) @ second.astype(np.int64).T
    distance = np.sqrt(np.maximum(2 * (np.float32(DESCRIPTOR_SCALE) ** 2 - similarity.astype(np.float32)), 0))
    matches = []
    for row in range(len(first)):
        best, runner_up = np.argsort(-similarity[row], kind="stable")[:2]
        if similarity[:, best].argmax() == row and distance[row, best] < ratio * distance[row, runner_up]:
            matches.append((row, best))
    return np.array(matches, np.int32).reshape(-1, 2)


def descriptors(rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.integers(0, 256, (number, 128), dtype=np.uint8)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), num_first=st.integers(0, 450), num_second=st.integers(2, 450))
def test_blocks_give_what_the_whole_matrix_gives(seed: int, num_first: int, num_second: int) -> None:
    rng = np.random.default_rng(seed)
    raw = descriptors(rng, num_second)
    # Noisy copies, plain copies and doubles: true matches, ratios of zero and ties.
    copies = raw[rng.integers(0, num_second, num_first)]
    noisy = np.clip(
        copies + rng.integers(-40, 41, copies.shape) * rng.integers(0, 2, (num_first, 1)), 0, 255
    ).astype(np.uint8)
    first, second = comparable(noisy), comparable(raw)
    assert np.array_equal(mutual_matches(first, second, 0.85), whole_matrix_twin(first, second, 0.85))


def test_dot_products_of_descriptors_are_exact_in_float32() -> None:
    rng = np.random.default_rng(0)
    raw = np.concatenate(
        [descriptors(rng, 50), np.eye(128, dtype=np.uint8) * 255, np.zeros((1, 128), np.uint8)]
    )
    ready = comparable(raw)
    assert np.array_equal(
        (ready @ ready.T).astype(np.int64), ready.astype(np.int64) @ ready.astype(np.int64).T
    )
    assert (ready @ ready.T).max() < 2**24


def test_a_lone_descriptor_matches_nothing() -> None:
    ready = comparable(descriptors(np.random.default_rng(0), 5))
    assert mutual_matches(ready, ready[:1], 0.85).shape == (0, 2)
    assert mutual_matches(ready[:0], ready, 0.85).shape == (0, 2)


def test_key_points_at_one_place_count_once() -> None:
    first = np.array([[1, 1], [5, 5], [1, 1], [9, 9]], np.float32)
    second = np.array([[2, 2], [2, 2], [7, 7]], np.float32)
    matches = {(0, 1): np.array([[0, 0], [2, 1], [1, 2]], np.int32), (0, 2): np.zeros((0, 2), np.int32)}
    merged = merge_doubles([first, second, second[:0]], matches)
    assert merged[0, 1].tolist() == [[0, 0], [1, 2]]
    assert merged[0, 2].shape == (0, 2)


def test_features_that_went_missing_are_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SolverError, match=r"gone.safetensors(.|\n)*start again"):
        match_features(MatchTask(PredictionStore(tmp_path), "gone", "other", 0.85))
