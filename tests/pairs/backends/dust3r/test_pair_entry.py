"""What a network says of two views, and its matches inside the masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plain_pair import predict_entry
from tiny_networks import tiny_config, tiny_network

from pairs.backends.dust3r.images import on_network_grid
from pairs.backends.dust3r.pair_entry import grid_of
from pairs.views.grid import GridOptions
from pairs.views.load import LoadOptions, load_views
from pairs.views.view import View, grid_mask


def views_of(folder: Path, masked: bool = True) -> tuple[View, View]:
    """Write two photos of 120 x 90 and load them on the tiny network's grid."""
    for k in range(2):
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (90, 120, 3), np.uint8)).save(
            folder / f"{k}.png"
        )
        mask = np.zeros((90, 120), np.uint8)
        mask[20:70, 30 + 10 * k : 90] = 255
        if masked:
            Image.fromarray(mask).save(folder / f"{k}_mask.png")
    views, _ = load_views(
        [folder / "0.png", folder / "1.png"], "auto", LoadOptions(grid=GridOptions(longest=64))
    )
    a, b = (on_network_grid(view, grid_of(tiny_config())) for view in views)
    return a, b


@pytest.mark.parametrize("head", ["catmlp+dpt", "linear"])
def test_no_match_leaves_the_masks_with_descriptors_or_without(tmp_path, head):
    views = views_of(tmp_path)
    entry = predict_entry(tiny_network(head), *views, subsample=2)
    assert entry.ab is not None
    assert entry.ab.a_in_a.shape == (*views[0].image.shape[:2], 3)
    assert entry.matches is not None
    assert len(entry.matches.conf) > 0
    for view, xy in zip(views, (entry.matches.xy_a, entry.matches.xy_b)):
        column, row = xy.astype(int).T
        assert grid_mask(view)[row, column].all()


def test_equal_photos_match_pixel_by_pixel(tmp_path):
    a, _ = views_of(tmp_path, masked=False)
    entry = predict_entry(tiny_network("linear"), a, a)
    assert entry.ab is not None
    assert entry.ba is not None
    np.testing.assert_array_equal(entry.ab.a_in_a, entry.ba.a_in_a)


def test_the_photos_in_the_other_order_have_the_same_matches(tmp_path):
    a, b = views_of(tmp_path)
    network = tiny_network()
    there, back = predict_entry(network, a, b, 2).matches, predict_entry(network, b, a, 2).matches
    assert there is not None
    assert back is not None
    listed = sorted(map(tuple, np.concatenate([there.xy_a, there.xy_b, there.conf[:, None]], 1)))
    assert listed == sorted(map(tuple, np.concatenate([back.xy_b, back.xy_a, back.conf[:, None]], 1)))
