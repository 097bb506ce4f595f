"""Dense heads: sizes, chunks, positions, and the fused map against a plain twin."""

from __future__ import annotations

import pytest
import torch
from small_vggt import dense_config, random_scene, small_vggt
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from pairs.networks.vggt.aggregator import Aggregated
from pairs.networks.vggt.config import DenseOutput
from pairs.networks.vggt.dense_head import DenseHead, Fusion
from pairs.networks.vggt.sines import image_axes, image_positions

NETWORK = small_vggt()


def aggregated(num_frames: int = 3) -> Aggregated:
    return NETWORK.aggregate(random_scene(num_frames))


@pytest.mark.parametrize("frames_at_once", [1, 2, 8])
def test_frames_at_once_change_nothing(frames_at_once):
    layers = aggregated()
    whole, conf = NETWORK.depth_head(layers, 3)
    part, part_conf = NETWORK.depth_head(layers, frames_at_once)
    assert_close(part, whole, atol=1e-6, rtol=1e-5)
    assert_close(part_conf, conf, atol=1e-6, rtol=1e-5)
    assert whole.shape == (1, 3, 42, 56, 1)
    assert conf.min() >= 1


def test_features_have_half_the_size_of_the_images():
    assert NETWORK.track_head.feature_extractor.features(aggregated()).shape == (1, 3, 16, 21, 28)


def plain_fusion(block: Fusion, coarse: Tensor, fine: Tensor | None, size: tuple[int, int]) -> Tensor:
    """Return the fused map in the order of the paper: sum, unit, resize, convolution."""

    def unit(layer, x: Tensor) -> Tensor:
        x = x.clamp(min=0)
        return x + layer.conv2(layer.conv1(x).clamp(min=0))

    merged = coarse if fine is None else coarse + unit(block.resConfUnit1, fine)
    return block.out_conv(
        functional.interpolate(
            unit(block.resConfUnit2, merged), size=size, mode="bilinear", align_corners=True
        )
    )


@pytest.mark.parametrize("skip", [True, False])
def test_fusion_is_that_of_the_paper(skip):
    torch.manual_seed(0)
    block, coarse, fine = (
        Fusion(4, skip=skip),
        torch.randn(2, 4, 3, 5),
        torch.randn(2, 4, 3, 5) if skip else None,
    )
    assert_close(block(coarse, fine, (7, 9)), plain_fusion(block, coarse, fine, (7, 9)), atol=1e-5, rtol=1e-5)


def test_a_head_without_output_gives_features_only():
    with pytest.raises(ValueError, match="features only"):
        DenseHead(dense_config(None))(aggregated())


def test_an_unknown_activation_lists_the_known_ones():
    with pytest.raises(ValueError, match="inv_log"):
        DenseHead(dense_config(DenseOutput(1, "cube")))(aggregated())


def test_image_axes_end_half_a_pixel_inside_the_unit_half_diagonal():
    u, v = image_axes((3, 4), 4 / 3)
    assert_close(u, torch.tensor([-0.6, -0.2, 0.2, 0.6], dtype=torch.float64))
    assert_close(v, torch.tensor([-0.4, 0.0, 0.4], dtype=torch.float64))


def test_positions_of_columns_and_rows_take_half_of_the_channels_each():
    positions = image_positions((3, 4), 8, 4 / 3, torch.device("cpu"))
    assert torch.equal(positions[:4, 0], positions[:4, 2])
    assert torch.equal(positions[4:, :, 0], positions[4:, :, 3])
    assert_close(
        positions[[0, 2], 0, 0],
        torch.tensor([-0.6]).sin().expand(2) * torch.tensor([1, 0])
        + torch.tensor([-0.6]).cos() * torch.tensor([0, 1]),
    )


def test_a_map_of_one_row_is_in_the_middle():
    assert image_axes((1, 4), 2.0)[1].tolist() == [0.0]
