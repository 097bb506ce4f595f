"""The configurations of golden cases, from the names that the cases use to ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pairs.networks.vggt.config import (
    AggregatorConfig,
    CameraHeadConfig,
    DenseHeadConfig,
    DenseOutput,
    DinoConfig,
    TrackerConfig,
    TrackHeadConfig,
    VggtConfig,
)

Stored = Mapping[str, Any]


def dino_config(stored: Stored) -> DinoConfig:
    """Return a vision transformer."""
    return DinoConfig(
        dim=stored["embed_dim"],
        depth=stored["depth"],
        heads=stored["num_heads"],
        registers=stored["num_register_tokens"],
        stored_side=stored["img_size"] // stored["patch_size"],
        patch_size=stored["patch_size"],
        antialias=stored["interpolate_antialias"],
        offset=stored["interpolate_offset"],
    )


def aggregator_config(stored: Stored) -> AggregatorConfig:
    """Return an aggregator."""
    return AggregatorConfig(
        dim=stored["embed_dim"],
        depth=stored["depth"],
        heads=stored["num_heads"],
        registers=stored["num_register_tokens"],
        patch_size=stored["patch_size"],
        dino=None if stored["patch_embed"] == "conv" else dino_config(stored["patch_embed"]),
        order=tuple(stored["aa_order"]),
        consecutive=stored["aa_block_size"],
        qk_norm=stored["qk_norm"],
        rope_base=stored["rope_freq"],
    )


def camera_config(stored: Stored) -> CameraHeadConfig:
    """Return a camera head."""
    return CameraHeadConfig(
        dim=stored["dim_in"],
        depth=stored["trunk_depth"],
        heads=stored["num_heads"],
        mlp_ratio=stored["mlp_ratio"],
        translation=stored["trans_act"],
        quaternion=stored["quat_act"],
        field_of_view=stored["fl_act"],
    )


def dense_config(stored: Stored) -> DenseHeadConfig:
    """Return a dense head."""
    output = DenseOutput(stored["output_dim"] - 1, stored["activation"], stored["conf_activation"])
    return DenseHeadConfig(
        output=None if stored["feature_only"] else output,
        dim=stored["dim_in"],
        layers=tuple(stored["intermediate_layer_idx"]),
        widths=tuple(stored["out_channels"]),
        features=stored["features"],
        positions=stored["pos_embed"],
        down_ratio=stored["down_ratio"],
        patch_size=stored["patch_size"],
    )


def tracker_config(stored: Stored) -> TrackerConfig:
    """Return a tracker."""
    return TrackerConfig(
        stride=stored["stride"],
        levels=stored["corr_levels"],
        radius=stored["corr_radius"],
        latent=stored["latent_dim"],
        hidden=stored["hidden_size"],
        depth=stored["depth"],
        heads=stored["num_heads"],
        virtual_tracks=stored["num_virtual_tracks"] if stored["use_spaceatt"] else 0,
        flow_scale=stored["max_scale"],
        conf=stored["predict_conf"],
        mlp_ratio=stored["mlp_ratio"],
    )


def vggt_config(stored: Stored) -> VggtConfig:
    """Return a whole network."""
    track = stored["track_head"]
    return VggtConfig(
        aggregator=aggregator_config(stored["aggregator"]),
        camera=stored["camera_head"] and camera_config(stored["camera_head"]),
        depth=stored["depth_head"] and dense_config(stored["depth_head"]),
        points=stored["point_head"] and dense_config(stored["point_head"]),
        track=track
        and TrackHeadConfig(
            dense_config(track["feature_extractor"]), tracker_config(track["tracker"]), track["iters"]
        ),
    )
