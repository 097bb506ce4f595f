"""A network's matches at the photos' full resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from plain_pair import predict_entry
from tiny_networks import tiny_config, tiny_network

from masks.errors import ImageError, UserError
from masks.pixelmap import to_source, to_target
from pairs.backends.dust3r.fine_matches import fine_matches, full_photo, match_crops
from pairs.backends.dust3r.images import on_network_grid
from pairs.backends.dust3r.pair_entry import grid_of
from pairs.matching.crops import plain_crop
from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.network import PairNetwork
from pairs.prediction.predictions import Matches
from pairs.views.load import load_views
from pairs.views.view import View


@pytest.fixture(scope="module")
def network() -> PairNetwork:
    return tiny_network(size=224)


def photos(
    folder: Path, network: PairNetwork, backdrop: int = 0, size: tuple[int, int] = (330, 260)
) -> tuple[View, View]:
    """Write two photos of random colours with masks, and return them on the network's grid."""
    folder.mkdir()
    w, h = size
    for k in range(2):
        image = np.random.default_rng(k).integers(0, 256, (h, w, 3), np.uint8)
        mask = np.zeros((h, w), bool)
        mask[h // 5 : -h // 5, w // 5 + 10 * k : -w // 5] = True
        image[~mask] = np.random.default_rng((backdrop, k)).integers(0, 256, (int((~mask).sum()), 3))
        Image.fromarray(image).save(folder / f"{k}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{k}_mask.png")
    a, b = (
        on_network_grid(view, grid_of(network.config))
        for view in load_views([folder / f"{k}.png" for k in range(2)])[0]
    )
    return a, b


class ByColour:
    """Stands for a network whose descriptors are the pixels' colours: what matches is known to the pixel."""

    def __init__(self) -> None:
        self.config, self.device = tiny_config(size=224), torch.device("cpu")

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return images

    def decode(self, first: torch.Tensor, second: torch.Tensor) -> tuple[HeadOutput, HeadOutput]:
        return self.output(first), self.output(second)

    def output(self, images: torch.Tensor) -> HeadOutput:
        desc = torch.nn.functional.normalize(
            torch.cat([images, torch.ones_like(images[:, :1])], 1), dim=1
        ).movedim(1, -1)
        return HeadOutput(desc[..., :3], torch.ones_like(desc[..., 0]), desc, torch.ones_like(desc[..., 0]))


def test_what_crops_match_lies_where_it_is_in_the_photos(tmp_path: Path) -> None:
    shift = np.array([7, 5])
    plane = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    for k, (left, top) in enumerate((shift, (0, 0))):
        Image.fromarray(plane[top : top + 280, left : left + 380]).save(tmp_path / f"{k}.png")
    network: Any = ByColour()
    a, b = (
        on_network_grid(view, grid_of(network.config))
        for view in load_views([tmp_path / f"{k}.png" for k in range(2)])[0]
    )
    at_a = np.random.default_rng(1).uniform(20, 200, (200, 2))
    in_photo = to_source(a.grid_from_photo, at_a) + shift + np.random.default_rng(2).uniform(-3, 3, (200, 2))
    found = fine_matches(network, a, b, Matches(at_a, to_target(b.grid_from_photo, in_photo), np.ones(200)))
    assert len(found.conf) > 500
    assert (found.xy_b - found.xy_a == shift).all(1).mean() > 0.95  # a few colours are there twice


def coarse(network: PairNetwork, a: View, b: View) -> Matches:
    found = predict_entry(network, a, b).matches
    assert found is not None
    return found


def test_fine_matches_lie_between_the_coarse_grids_pixels_and_inside_both_masks(
    tmp_path: Path, network: PairNetwork
) -> None:
    a, b = photos(tmp_path / "p", network)
    found = fine_matches(network, a, b, coarse(network, a, b))
    assert len(found.conf) > len(coarse(network, a, b).conf)
    for view, xy in ((a, found.xy_a), (b, found.xy_b)):
        column, row = xy.astype(int).T
        assert view.mask is not None
        assert view.mask.pixels[row, column].all()
        assert len(np.unique(column)) > 100  # 224 grid columns, of which the mask leaves three fifths


def test_background_pixels_never_move_a_fine_match(tmp_path: Path, network: PairNetwork) -> None:
    found = []
    for backdrop in range(2):
        a, b = photos(tmp_path / str(backdrop), network, backdrop)
        found.append(fine_matches(network, a, b, coarse(network, a, b)))
    for name in ("xy_a", "xy_b", "conf"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_crops_match_together_as_one_by_one_also_when_the_memory_is_short(
    tmp_path: Path, network: PairNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = (full_photo(view) for view in photos(tmp_path / "p", network))
    windows = [np.array([left, 20, left + 224, 244]) for left in (0, 50, 100)]
    pairs = [(plain_crop(a, window), plain_crop(b, window)) for window in windows]
    together, single = match_crops(network, pairs), [match_crops(network, [pair])[0] for pair in pairs]
    whole, decoded = network.decode, []

    def short_of_memory(first, second):
        if len(first.tokens) > 1:
            raise MemoryError
        decoded.append(1)
        return whole(first, second)

    monkeypatch.setattr(network, "decode", short_of_memory)
    halved = match_crops(network, pairs)
    assert len(decoded) == 2 * len(pairs)
    for one, two, three in zip(together, single, halved, strict=True):
        assert len(one.conf) > 20
        np.testing.assert_array_equal(two.xy_b, three.xy_b)
        # Batches round otherwise, and a rounding can only move matches whose descriptors are as good as
        # equal.
        assert len({*map(tuple, one.xy_a)} & {*map(tuple, two.xy_a)}) > 0.9 * len(one.conf)


def test_a_pair_of_crops_beyond_the_memory_is_named(
    tmp_path: Path, network: PairNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = photos(tmp_path / "p", network)
    found = coarse(network, a, b)

    def no_memory(first, second):
        raise MemoryError

    monkeypatch.setattr(network, "decode", no_memory)
    with pytest.raises(UserError, match=r"0\.png\[.*does not suffice for one pair of crops"):
        fine_matches(network, a, b, found)


def test_without_a_mask_all_of_a_photo_counts(tmp_path: Path, network: PairNetwork) -> None:
    photos(tmp_path / "p", network)
    (tmp_path / "p" / "0_mask.png").unlink()
    (tmp_path / "p" / "1_mask.png").unlink()
    view = load_views([tmp_path / "p" / f"{k}.png" for k in range(2)])[0][0]
    assert full_photo(view).inside.all()


def test_networks_without_descriptors_and_small_photos_are_refused(
    tmp_path: Path, network: PairNetwork
) -> None:
    nothing = Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    a, b = photos(tmp_path / "p", network)
    with pytest.raises(UserError, match="dust3r has none"):
        fine_matches(tiny_network("linear"), a, b, nothing)
    small = photos(tmp_path / "small", network, size=(200, 150))
    with pytest.raises(ImageError, match=r"0\.png: 200x150"):
        fine_matches(network, *small, nothing)
