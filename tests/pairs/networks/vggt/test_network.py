"""The whole network: its parts by themselves, precision, batches."""

from __future__ import annotations

import pytest
import torch
from small_vggt import random_scene, small_config, small_vggt
from torch.testing import assert_close

from pairs.networks.vggt.config import with_heads

NETWORK = small_vggt()
QUERIES = torch.tensor([[5.0, 7.0], [30.5, 20.25]])


def test_parts_by_themselves_are_the_parts_of_the_whole():
    images = random_scene(2)
    whole, aggregated = NETWORK(images, QUERIES), NETWORK.aggregate(images)
    assert_close(NETWORK.camera(aggregated), list(whole.encodings), rtol=0, atol=0)
    assert torch.equal(NETWORK.depth(aggregated).values, whole.depth.values)
    assert torch.equal(NETWORK.points(aggregated).conf, whole.points.conf)
    assert torch.equal(NETWORK.track(aggregated, QUERIES).xy, whole.tracks.xy)
    assert whole.size == (42, 56)


def test_a_scene_without_a_batch_axis_is_a_batch_of_one():
    images = random_scene(2)
    assert torch.equal(NETWORK(images[0]).depth.values, NETWORK(images).depth.values)


def test_without_queries_there_are_no_tracks():
    assert NETWORK(random_scene(1)).tracks is None


def test_one_frame_is_a_scene():
    images = random_scene(1)
    found = NETWORK(images)
    assert found.depth.values.shape[:4] == (1, 1, *images.shape[-2:])
    assert found.encodings[-1].shape[:2] == (1, 1)
    assert (found.depth.values > 0).all()
    # Alone, a frame attends to itself only: the scene of two copies must not be what it sees.
    assert not torch.equal(NETWORK(images.repeat(1, 2, 1, 1, 1)).depth.values[:, :1], found.depth.values)


@pytest.mark.parametrize("heads", [{"camera"}, {"depth", "points"}, set()])
def test_heads_that_are_off_are_left_out_and_said_so_when_asked(heads):
    network = small_vggt(config=with_heads(small_config(), frozenset(heads)))
    output = network(random_scene(2), QUERIES)
    given = {
        "camera": output.encodings,
        "depth": output.depth,
        "points": output.points,
        "track": output.tracks,
    }
    assert {name for name, part in given.items() if part is not None} == heads
    with pytest.raises(ValueError, match="without its track head"):
        network.track(network.aggregate(random_scene(2)), QUERIES)


def test_a_camera_alone_keeps_no_layers():
    network = small_vggt(config=with_heads(small_config(), frozenset({"camera"})))
    assert network.aggregate(random_scene(2)).layers == {}


def test_half_precision_changes_little_and_heads_stay_in_float32():
    images = random_scene(2)
    exact, rough = NETWORK(images), small_vggt(precision=torch.bfloat16)(images)
    assert rough.depth.values.dtype == rough.encodings[-1].dtype == torch.float32
    assert_close(rough.encodings[-1], exact.encodings[-1], atol=0.1, rtol=0.1)
    assert not torch.equal(rough.encodings[-1], exact.encodings[-1])


def test_a_callers_autocast_changes_nothing():
    images = random_scene(2)
    exact = NETWORK(images, QUERIES)
    with torch.autocast("cpu", torch.bfloat16):
        inside = NETWORK(images, QUERIES)
    assert torch.equal(inside.depth.conf, exact.depth.conf)
    assert torch.equal(inside.tracks.xy, exact.tracks.xy)
    assert torch.equal(inside.encodings[-1], exact.encodings[-1])


def test_the_same_input_gives_the_same_bytes():
    images = random_scene(2)
    one, other = NETWORK(images, QUERIES), NETWORK(images, QUERIES)
    assert torch.equal(one.tracks.xy, other.tracks.xy)
    assert torch.equal(one.points.values, other.points.values)


def test_scenes_of_a_batch_may_have_queries_of_their_own():
    images = torch.cat([random_scene(2, seed=1), random_scene(2, seed=2)])
    queries = torch.stack([QUERIES, QUERIES + 2])
    tracks = NETWORK(images, queries).tracks.iterations[0]
    assert torch.equal(tracks[:, 0], queries)
    assert_close(tracks[1:], NETWORK(images[1:], queries[1]).tracks.iterations[0], atol=1e-4, rtol=1e-5)
