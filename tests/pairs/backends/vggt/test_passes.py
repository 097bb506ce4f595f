"""VGGT's three roads as backends, with a small random network: what comes out means nothing, how it comes
about does.
"""

from __future__ import annotations

from pathlib import Path

import networkx
import numpy as np
import pytest
import torch
from small_vggt import small_config
from vggt_folder import larger_config, photos, small_folder

from masks.errors import FormatError, UserError
from masks.progress import silent
from pairs.backends.protocol import Backend
from pairs.backends.registry import make_backend
from pairs.backends.vggt import group_pass as group_pass_module
from pairs.backends.vggt.backend import VggtGroupOptions
from pairs.backends.vggt.group import group_prediction
from pairs.backends.vggt.images import VggtGrid, on_vggt_grid, vggt_input
from pairs.backends.vggt.model_spec import chosen_spec, open_vggt
from pairs.backends.vggt.track_pass import follow_points
from pairs.networks.vggt.config import with_heads
from pairs.networks.vggt.network import Vggt
from pairs.prediction.pair_file import entry_to_arrays
from pairs.prediction.predictions import Predictions
from pairs.prediction.store import PredictionStore
from pairs.views.view import View, grid_mask

ROADS = ("vggt", "vggt-tracks", "vggt-pairs")


def backend(folder: Path, name: str = "vggt", **options: object) -> Backend:
    weights = folder / "net" if (folder / "net").exists() else small_folder(folder / "net")
    return make_backend(name, **{"weights": weights, "device": "cpu", **options})  # pyright: ignore[reportArgumentType]


def predict(
    made: Backend, views: tuple[View, ...], store: Path, graph: networkx.Graph | None = None
) -> Predictions:
    return made.predict(views, graph, PredictionStore(store), silent)


def contents(found: Predictions) -> list[np.ndarray]:
    """Return all numbers of predictions."""
    cameras = [] if found.cameras is None else [found.cameras.K, found.cameras.cam_from_world]
    group = [] if found.group is None else [*found.group.depth, *found.group.conf]
    return [
        *cameras,
        *group,
        *(array for k in range(len(found.edges)) for array in entry_to_arrays(found.load(k)).values()),
    ]


def test_one_pass_says_what_the_network_says(tmp_path: Path) -> None:
    views = photos(tmp_path, masked=False)
    found = predict(backend(tmp_path), views, tmp_path / "store")
    placed = on_vggt_grid(views, VggtGrid(size=56))
    network = open_vggt(
        chosen_spec(VggtGroupOptions(weights=tmp_path / "net", device="cpu")), frozenset({"camera", "depth"})
    )
    with torch.inference_mode():
        group, _ = group_prediction(placed, network(vggt_input(placed)))
    assert found.group is not None
    assert found.edges == ()
    np.testing.assert_allclose(found.group.cameras.cam_from_world, group.cameras.cam_from_world, atol=1e-6)
    for one, other in zip(found.group.depth, group.depth):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("road", ROADS)
def test_equal_runs_give_equal_numbers_and_a_second_run_asks_no_network(
    tmp_path: Path, road: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, made = photos(tmp_path), backend(tmp_path, road)
    first = contents(predict(made, views, tmp_path / "one"))
    other = contents(predict(made, views, tmp_path / "other"))
    monkeypatch.setattr(Vggt, "aggregate", lambda *_: pytest.fail("the network was asked again"))
    again = contents(predict(made, views, tmp_path / "one"))
    for arrays in zip(first, other, again, strict=True):
        assert len({array.tobytes() for array in arrays}) == 1


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("fill", ["mean", "constant", "keep"])
def test_what_stands_behind_the_object_changes_nothing_unless_it_is_kept(
    tmp_path: Path, road: str, fill: str
) -> None:
    made, found = backend(tmp_path, road, fill=fill), []
    for backdrop in (0, 1):
        views = photos(tmp_path / str(backdrop), backdrop=backdrop)
        found.append(contents(predict(made, views, tmp_path / "store" / str(backdrop))))
    same = len(found[0]) == len(found[1]) and all(np.array_equal(one, other) for one, other in zip(*found))
    assert same == (fill != "keep")


@pytest.mark.parametrize("road", ["vggt-tracks", "vggt-pairs"])
def test_no_match_starts_or_ends_outside_a_mask(tmp_path: Path, road: str) -> None:
    found = predict(backend(tmp_path, road), photos(tmp_path), tmp_path / "store")
    assert len(found.edges) > 0
    for k in range(len(found.edges)):
        check_matches(found, k)


def check_matches(found: Predictions, k: int) -> None:
    """Require that a pair has matches, with confidence, between pixels of both masks."""
    matches = found.load(k).matches
    assert matches is not None
    assert len(matches.conf) > 0
    assert (matches.conf > 0).all()
    for view, xy in zip(found.edges[k], (matches.xy_a, matches.xy_b)):
        column, row = np.rint(xy).astype(int).T
        assert grid_mask(found.views[view])[row, column].all()


def test_outside_masks_there_is_no_confidence(tmp_path: Path) -> None:
    found = predict(backend(tmp_path), photos(tmp_path), tmp_path / "store")
    assert found.group is not None
    for view, conf in zip(found.views, found.group.conf):
        assert (conf[~grid_mask(view)] == 1).all()
        assert (conf[grid_mask(view)] > 1).all()


@pytest.mark.parametrize("road", ROADS)
def test_photos_of_many_sizes_and_orientations_lie_whole_on_the_grid(tmp_path: Path, road: str) -> None:
    views = photos(tmp_path, sizes=((64, 48), (48, 64), (80, 32)))
    found = predict(backend(tmp_path, road), views, tmp_path / "store")
    for before, view in zip(views, found.views):
        assert view.pixel_map.trim == (0, 0, 0, 0)
        assert view.photo_size == before.photo_size
    if road == "vggt-pairs":
        entry = found.load(0)
        assert entry.ab is not None
        assert entry.ab.a_conf.shape == found.views[0].image.shape[:2]
        assert entry.ab.b_conf.shape == found.views[1].image.shape[:2]
    else:
        assert len({view.image.shape for view in found.views}) == 1


def test_both_orders_of_a_pair_are_runs_of_their_own(tmp_path: Path) -> None:
    entry = predict(backend(tmp_path, "vggt-pairs"), photos(tmp_path, 2), tmp_path / "store").load(0)
    assert entry.ab is not None
    assert entry.ba is not None
    assert not np.allclose(entry.ab.a_in_a, entry.ba.b_in_a)
    assert min(conf.min() for conf in (entry.ab.a_conf, entry.ba.b_conf)) >= 1


def test_pairs_without_a_track_head_are_matched_by_their_points(tmp_path: Path) -> None:
    small_folder(tmp_path / "net", with_heads(larger_config(), frozenset({"camera", "depth"})))
    found = predict(backend(tmp_path, "vggt-pairs"), photos(tmp_path, 3), tmp_path / "store")
    assert len(found.edges) == 3
    for k in range(3):
        check_matches(found, k)


def test_overlapping_groups_give_all_views_in_one_world_and_are_told(tmp_path: Path) -> None:
    views = photos(tmp_path, 6)
    found = predict(backend(tmp_path, max_frames="4"), views, tmp_path / "store")
    assert found.cameras is not None
    assert len(found.cameras.K) == 6
    assert any("2 overlapping groups of 4" in notice.text for notice in found.notices)
    alone = predict(backend(tmp_path), views[:4], tmp_path / "store")
    assert alone.cameras is not None
    np.testing.assert_array_equal(found.cameras.cam_from_world[:4], alone.cameras.cam_from_world)


def test_tracks_go_through_every_group_and_the_graph_chooses_pairs(tmp_path: Path) -> None:
    views = photos(tmp_path, 6)
    found = predict(backend(tmp_path, "vggt-tracks", max_frames="4"), views, tmp_path / "store")
    assert (0, 5) not in found.edges  # no group has both
    assert found.camera_source == "network"
    graph = networkx.Graph([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)])
    chosen = predict(backend(tmp_path, "vggt-tracks"), views, tmp_path / "store", graph)
    assert chosen.edges == tuple(graph.edges)


def test_too_little_memory_is_said_before_the_run_with_the_number_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = photos(tmp_path, 8)
    need = group_pass_module.pass_cost(larger_config(), (42, 56), 2)
    monkeypatch.setattr(group_pass_module, "device_memory", lambda device: 1e9 * need.gigabytes(5) / 0.9)
    monkeypatch.setattr(group_pass_module, "pass_cost", lambda *_: need)
    found = predict(backend(tmp_path), views, tmp_path / "store")
    assert any("overlapping groups of 5" in notice.text for notice in found.notices)
    monkeypatch.setattr(Vggt, "aggregate", lambda *_: pytest.fail("it was run all the same"))
    for asked in ("all", "7"):
        with pytest.raises(UserError, match=r"5 photos fit\. Pass `max_frames=5`"):
            predict(backend(tmp_path, max_frames=asked), views, tmp_path / "other")
    monkeypatch.setattr(group_pass_module, "device_memory", lambda device: 1e9 * need.gigabytes(1))
    with pytest.raises(UserError, match="not even 3 photos fit"):
        predict(backend(tmp_path), views, tmp_path / "other")


def test_memory_that_runs_out_all_the_same_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Vggt, "aggregate", fail)
    with pytest.raises(UserError, match=r"8 photos in one pass\. Pass `max_frames=4`"):
        predict(backend(tmp_path), photos(tmp_path, 8), tmp_path / "store")


@pytest.mark.parametrize(
    ("road", "given", "said"),
    [
        ("vggt", {"max_frames": "2"}, "`max_frames=2`: say auto, all, or how many"),
        ("vggt", {"max_frames": "many"}, "`max_frames=many`"),
        ("vggt", {"batch": 2}, "`batch=2`: means nothing to the backend vggt"),
        ("vggt-pairs", {"max_frames": "all"}, "`max_frames=all`: means nothing to the backend vggt-pairs"),
        ("vggt-tracks", {"precision": "int8"}, "`precision=int8`: unknown"),
        ("vggt", {"fill": "pink"}, "'pink' is not known"),
        ("vggt", {"weights": "nowhere.pt"}, r"nowhere\.pt: no such file"),
    ],
)
def test_what_cannot_be_chosen_is_named(
    tmp_path: Path, road: str, given: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        backend(tmp_path, road, **given)


def test_a_graph_of_pairs_is_refused_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Omit `graph`"):
        predict(backend(tmp_path), photos(tmp_path), tmp_path / "store", networkx.Graph([(0, 1)]))


def test_a_checkpoint_of_another_model_is_named(tmp_path: Path) -> None:
    small_folder(tmp_path / "net")
    torch.save({"enc_blocks.0.norm1.weight": torch.zeros(3)}, tmp_path / "net" / "other.pt")
    made = backend(tmp_path, weights=tmp_path / "net" / "other.pt")
    with pytest.raises(FormatError, match=r"other\.pt: .*another network"):
        predict(made, photos(tmp_path), tmp_path / "store")


def test_a_network_without_a_head_that_a_road_needs_is_named(tmp_path: Path) -> None:
    small_folder(tmp_path / "net", with_heads(small_config(), frozenset({"camera", "depth"})))
    with pytest.raises(UserError, match="without a track head"):
        backend(tmp_path, "vggt-tracks")
    small_folder(tmp_path / "other", with_heads(small_config(), frozenset({"camera"})))
    with pytest.raises(UserError, match="without a head of cameras or of depth"):
        backend(tmp_path, weights=tmp_path / "other")


def test_the_keys_tell_apart_what_changes_a_prediction(tmp_path: Path) -> None:
    keys = [backend(tmp_path, road).key for road in ROADS]
    keys += [
        backend(tmp_path, fill="keep").key,
        backend(tmp_path, precision="bfloat16").key,
        backend(tmp_path, max_frames="4").key,
    ]
    small_folder(tmp_path / "seeded", seed=1)
    keys.append(backend(tmp_path, weights=tmp_path / "seeded").key)
    assert len(set(keys)) == 7
    assert not any("\n" in key for key in keys)


def test_a_followed_point_of_the_query_photo_stays_and_the_order_of_photos_is_kept(tmp_path: Path) -> None:
    views = on_vggt_grid(photos(tmp_path), VggtGrid(size=56))
    small_folder(tmp_path / "net")
    network = open_vggt(
        chosen_spec(VggtGroupOptions(weights=tmp_path / "net", device="cpu")), frozenset({"track"})
    )
    points = np.array([[20.0, 15.0], [25.0, 20.0], [30.5, 22.25]])
    found = follow_points(network, views, 2, points)
    np.testing.assert_allclose(found["xy"][2], points, atol=1e-5)
    assert found["xy"].shape == (4, 3, 2)
    swapped = follow_points(network, [views[2], views[1], views[0], views[3]], 0, points)
    np.testing.assert_allclose(swapped["xy"][2], found["xy"][0], atol=1e-3)


@pytest.mark.parametrize(
    ("point", "said"),
    [((60.0, 5.0), "outside its 56x42 pixels"), ((np.nan, 5.0), "outside"), ((1.0, 1.0), "off the object")],
)
def test_points_outside_the_photo_or_its_mask_are_refused_by_name(
    tmp_path: Path, point: tuple[float, float], said: str
) -> None:
    views = on_vggt_grid(photos(tmp_path), VggtGrid(size=56))
    network = open_vggt(
        chosen_spec(VggtGroupOptions(weights=small_folder(tmp_path / "net"), device="cpu")),
        frozenset({"track"}),
    )
    with pytest.raises(UserError, match=rf"2\.png: .*{said}"):
        follow_points(network, views, 2, np.array([[20.0, 15.0], point]))
