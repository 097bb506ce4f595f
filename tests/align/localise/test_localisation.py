from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pycolmap", reason="no wheel of pycolmap for this platform")

from localisation_set import ColourNetwork, K, Written, write_set
from tiny_networks import tiny_network

from align.evaluation.localisation import LocalisationErrors, localisation_errors
from align.localise.by_backend import match_by_backend
from align.localise.by_descriptors import DescriptorOptions, match_by_descriptors
from align.localise.by_pointmaps import match_by_pointmaps
from align.localise.data_set import open_maps, open_query
from align.localise.localisation import LocalisationOptions, localise, some_of
from align.localise.scene_points import Correspondences, MatchMaps
from masks.errors import UserError
from masks.fill import keep
from masks.mask import Mask
from pairs.backends.classical.backend import make_classical
from pairs.matching.coarse_to_fine import FineOptions
from pairs.matching.crops import facing_crop
from pairs.matching.windows import WindowOptions

NETWORK = ColourNetwork()
WINDOWS = WindowOptions(longest=224)
BY_DESCRIPTORS = {
    "whole": DescriptorOptions(),
    "crops": DescriptorOptions(fine=FineOptions(WINDOWS)),
    "facing crops": DescriptorOptions(fine=FineOptions(WINDOWS, facing_crop)),
    "reduced": DescriptorOptions(longest=400, fine=FineOptions(WINDOWS)),
}


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_set(tmp_path_factory.mktemp("coded"))


def placed(written: Written, match: MatchMaps, masked: bool = False) -> LocalisationErrors:
    found = {each.name: each for each in localise(written.load(masked), match)}
    poses = [None if each.pose is None else each.pose.cam_from_world for each in found.values()]
    return localisation_errors(poses, np.stack([written.truth[name] for name in found]))


@pytest.mark.parametrize("masked", [False, True])
def test_pointmaps_that_know_the_scene_place_a_photo(coded: Written, masked: bool) -> None:
    errors = placed(coded, functools.partial(match_by_pointmaps, NETWORK), masked)
    # A level of the colour code is 0.005 units on the roof, 1.3 pixels of the photo.
    assert errors.centre.max() < 0.02
    assert errors.degrees.max() < 0.2


@pytest.mark.parametrize("options", BY_DESCRIPTORS.values(), ids=BY_DESCRIPTORS)
def test_descriptors_that_know_the_scene_place_a_photo(coded: Written, options: DescriptorOptions) -> None:
    errors = placed(coded, functools.partial(match_by_descriptors, NETWORK, options=options), masked=True)
    assert errors.centre.max() < 0.02
    assert errors.degrees.max() < 0.2


def residuals_px(written: Written, options: DescriptorOptions) -> np.ndarray:
    """Return how far (N, 2) the found pixels are from where the points truly are."""
    data, name = written.load(), "query/0.png"
    pose, away = written.truth[name], []
    for found in match_by_descriptors(NETWORK, open_query(data, name), open_maps(data, name), options):
        image = (found.points @ pose[:3, :3].T + pose[:3, 3]) @ K.T
        away.append(found.xy - image[:, :2] / image[:, 2:])
    return np.concatenate(away)


def test_crops_are_finer_than_whole_photos_and_half_pixels_are_kept(coded: Written) -> None:
    whole, crops = (residuals_px(coded, BY_DESCRIPTORS[name]) for name in ("whole", "crops"))
    spread = [np.median(np.linalg.norm(each, axis=1)) for each in (whole, crops)]
    assert spread[1] < 0.8 * spread[0]
    assert len(crops) > len(whole)
    # Equal colours go to the upper pixel, hence not nearer to 0.
    assert np.abs(np.median(crops, axis=0)).max() < 0.2


@pytest.mark.parametrize("way", ["pointmaps", "whole", "crops", "facing crops"])
@pytest.mark.parametrize("masked", ["query", "map"])
def test_nothing_outside_a_mask_is_matched(coded: Written, way: str, masked: str) -> None:
    data, name = coded.load(), "query/1.png"
    query, photo = open_query(data, name), next(open_maps(data, name))
    half = np.zeros(query.photo_size[::-1], bool)
    half[:, : half.shape[1] // 2] = True
    if masked == "query":
        query = replace(query, mask=Mask(half, "half"))
    else:
        photo = replace(photo, view=replace(photo.view, mask=Mask(half, "half")))
    # Left as photographed, or the fill would hide from the network what the mask must keep out.
    match: MatchMaps = functools.partial(match_by_pointmaps, NETWORK, fill=keep)
    if way != "pointmaps":
        match = functools.partial(match_by_descriptors, NETWORK, options=BY_DESCRIPTORS[way], fill=keep)
    (found,) = match(query, [photo])
    known = {tuple(point): xy for point, xy in zip(photo.seen.points, photo.seen.xy)}
    at_map = np.array([known[tuple(point)] for point in found.points])
    assert len(found.conf) > 20
    # The network's pixels are two of the photo's, and one of them may be half inside.
    assert (found.xy if masked == "query" else at_map)[:, 0].max() < half.shape[1] / 2 + 1


def test_an_empty_mask_places_nothing(coded: Written) -> None:
    data, name = coded.load(), "query/0.png"
    query = open_query(data, name)
    empty = replace(query, mask=Mask(np.zeros(query.photo_size[::-1], bool), "empty"))
    for options in BY_DESCRIPTORS.values():
        for found in match_by_descriptors(NETWORK, empty, open_maps(data, name), options):
            assert len(found.conf) == 0
    for found in match_by_pointmaps(NETWORK, empty, open_maps(data, name)):
        assert len(found.conf) == 0


def test_real_layers_of_a_network_run_the_whole_road(coded: Written) -> None:
    network, data = tiny_network(size=224), coded.load()
    data = replace(data, queries={"query/0.png": data.queries["query/0.png"]})
    data = replace(data, candidates={"query/0.png": ("map/1.png",)})
    match = functools.partial(match_by_descriptors, network, options=BY_DESCRIPTORS["crops"])
    assert [each.name for each in localise(data, match)] == ["query/0.png"]
    blind = functools.partial(match_by_descriptors, tiny_network("dpt", size=224))
    with pytest.raises(UserError, match="descriptors"):
        list(localise(data, blind))


def test_confidences_are_asked_for(coded: Written) -> None:
    assert np.isinf(placed(coded, functools.partial(match_by_pointmaps, NETWORK, least_conf=11)).centre).all()
    sure = DescriptorOptions(least_conf=5.5)
    found = placed(coded, functools.partial(match_by_descriptors, NETWORK, options=sure))
    assert np.isinf(found.centre).all()
    with pytest.raises(UserError, match="tolerance_px=0"):
        DescriptorOptions(tolerance_px=0)


@pytest.mark.slow
def test_any_backend_places_a_photo_of_a_textured_scene(tmp_path: Path) -> None:
    written = write_set(tmp_path, textured=True, num_points=20_000)
    errors = placed(written, functools.partial(match_by_backend, make_classical()), masked=True)
    assert errors.centre.max() < 0.05
    assert errors.degrees.max() < 0.5


def test_of_too_many_correspondences_some_are_drawn_the_same_each_time() -> None:
    many = Correspondences(np.arange(30.0).reshape(10, 3), np.zeros((10, 2)), np.arange(10.0))
    drawn, again = (some_of(many, 4, seed=1) for _ in range(2))
    assert len(drawn.conf) == 4
    np.testing.assert_array_equal(drawn.conf, again.conf)
    assert some_of(many, 10, seed=1) is many


def test_a_query_without_candidates_is_not_placed(coded: Written) -> None:
    data = replace(coded.load(), candidates={})
    options = LocalisationOptions()
    match: MatchMaps = functools.partial(match_by_pointmaps, NETWORK)
    assert [each.pose for each in localise(data, match, options)] == [None, None]
