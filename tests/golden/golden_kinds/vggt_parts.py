"""VGGT, part by part."""

from __future__ import annotations

import torch
from golden_case import Case
from torch import Tensor
from vggt_configs import aggregator_config, camera_config, dense_config, dino_config, tracker_config
from vggt_weights import with_drawn_weights

from golden_kinds import vggt_check
from pairs.networks.layers import PatchEmbed, apply_rope, rotation
from pairs.networks.vggt.activations import CONFIDENCES, POSE_PARTS, PREDICTIONS, dense_output, pose_output
from pairs.networks.vggt.aggregator import Aggregated, Aggregator
from pairs.networks.vggt.blocks import Block, BlockConfig, token_positions
from pairs.networks.vggt.camera_head import CameraHead
from pairs.networks.vggt.dense_head import DenseHead
from pairs.networks.vggt.dino import Dino, resized_positions
from pairs.networks.vggt.sines import flow_embedding, image_axes, image_positions, pixel_positions
from pairs.networks.vggt.tracker import Tracker, correlation, pyramid

FAMILY = "vggt"
check = vggt_check.check
CPU = torch.device("cpu")


def rope(case: Case) -> dict[str, Tensor]:
    tokens = case.inputs["tokens"]  # (B, heads, N, d)
    positions = token_positions(tuple(case.options["grid_hw"]), case.options["n_special_tokens"], CPU)
    turn = rotation(positions, tokens.shape[-1], case.description["config"]["frequency"])
    rotated = apply_rope(tokens.transpose(1, 2), turn).transpose(1, 2)
    return {"positions": positions.expand(len(tokens), -1, -1), "rotated": rotated}


def embeddings(case: Case) -> dict[str, Tensor]:
    config, grid, aspect = (
        case.description["config"],
        tuple(case.options["grid_hw"]),
        case.options["aspect_ratio"],
    )
    u, v = image_axes(grid, aspect)
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    table = pixel_positions(torch.stack([columns, rows], -1).float(), grid, config["dim"])
    return {
        "uv_grid": torch.stack(torch.meshgrid(u, v, indexing="xy"), -1).float(),
        "dpt_embed": image_positions(grid, config["dim"], aspect, CPU).permute(1, 2, 0),
        "tracker_sincos": table.permute(2, 0, 1)[None],
        "flow_embed": flow_embedding(case.inputs["xy"], config["flow_dim"]),
    }


def activations(case: Case) -> dict[str, Tensor]:
    out, found = case.inputs["out4"], {}
    found |= {f"pts_{name}": dense_output(out, name, "expp1")[0] for name in PREDICTIONS}
    found |= {f"conf_{name}": dense_output(out, "linear", name)[1] for name in CONFIDENCES}
    found |= {f"pose_{name}": pose_output(case.inputs["pose"], name, name, name) for name in POSE_PARTS}
    return found | {"depth_exp": dense_output(case.inputs["out2"], "exp", "expp1")[0]}


def patch_embed_conv(case: Case) -> dict[str, Tensor]:
    config = case.description["config"]
    embed = with_drawn_weights(PatchEmbed(config["patch_size"], config["embed_dim"]), case)
    return {"tokens": embed(case.inputs["images"])[0]}


def patch_embed_dino(case: Case) -> dict[str, Tensor]:
    config = dino_config(case.description["config"])
    if "grids_hw" in case.options:
        grids = [tuple(grid) for grid in case.options["grids_hw"]]
        return {
            f"grid_{h}x{w}": resized_positions(case.inputs["pos_embed"], (h, w), config) for h, w in grids
        }
    dino, found = with_drawn_weights(Dino(config), case), {}
    for size in (f"{h}x{w}" for h, w in case.options["image_sizes_hw"]):
        tokens = dino(case.inputs[f"images_{size}"], case.inputs.get(f"masks_{size}"))
        found |= {f"cls_{size}": tokens.image, f"registers_{size}": tokens.registers}
        found |= {f"patches_{size}": tokens.patches, f"prenorm_{size}": tokens.raw}
    return found


def block(case: Case) -> dict[str, Tensor]:
    config, x = case.description["config"], case.inputs["x"]
    shape = BlockConfig(
        config["dim"], config["num_heads"], config["mlp_ratio"], config["norm_eps"], config["qk_norm"]
    )
    shape = (
        shape
        if config["layer_scale"]
        else BlockConfig(*(getattr(shape, n) for n in ("dim", "heads", "mlp_ratio", "eps", "qk_norm")), None)
    )
    base = config["rope_frequency"]
    turn = rotation(case.inputs["positions"], config["dim"] // config["num_heads"], base) if base else None
    tested = with_drawn_weights(Block(shape), case)
    return {"y": tested(x, turn), "attn": tested.attn(tested.norm1(x), turn)}


def aggregator(case: Case) -> dict[str, Tensor]:
    tested = with_drawn_weights(Aggregator(aggregator_config(case.description["config"])), case)
    found = tested(case.inputs["images"])
    assert found.first_patch == case.options["patch_start_idx"]
    torch.testing.assert_close(found.camera, found.layers[max(found.layers)][:, :, 0], rtol=0, atol=0)
    return {f"tokens_{index}": layer for index, layer in found.layers.items()}


def camera_head(case: Case) -> dict[str, Tensor]:
    head = with_drawn_weights(CameraHead(camera_config(case.description["config"])), case)
    return {
        f"pose_enc_{k}": found
        for k, found in enumerate(head(case.inputs["tokens"][:, :, 0], case.options["num_iterations"]))
    }


def dpt(case: Case) -> dict[str, Tensor]:
    config = dense_config(case.description["config"])
    head = with_drawn_weights(DenseHead(config), case)
    layers = {index: case.inputs[f"tokens_{index}"] for index in config.layers}
    camera = layers[config.layers[-1]][:, :, 0]
    aggregated = Aggregated(layers, camera, case.options["patch_start_idx"], tuple(case.options["image_hw"]))
    chunk = case.options["frames_chunk_size"]
    if config.output is None:
        return {"features": head.features(aggregated, chunk)}
    prediction, conf = head(aggregated, chunk)
    return {"pred": prediction, "conf": conf}


def corr(case: Case) -> dict[str, Tensor]:
    config, data = case.description["config"], case.inputs
    levels = pyramid(data["fmaps"].flatten(0, 1), config["num_levels"])
    found = correlation(
        levels,
        data["targets"].flatten(0, 1),
        data["coords"].flatten(0, 1),
        config["radius"],
        config["padding_mode"],
    )
    return {"corr": found.unflatten(0, data["fmaps"].shape[:2])}


def tracker(case: Case) -> dict[str, Tensor]:
    tested = with_drawn_weights(Tracker(tracker_config(case.description["config"])), case)
    with torch.no_grad():
        tracks = tested(case.inputs["fmaps"], case.inputs["query_points"], case.options["iters"])
        once = tested(case.inputs["fmaps"], case.inputs["query_points"], 1)
    found = {f"coords_{k}": xy for k, xy in enumerate(tracks.iterations)} | {
        "vis": tracks.visible,
        "vis_logit_after_1": once.visible_logit,
    }
    return found if tracks.conf is None else found | {"conf": tracks.conf}


HANDLERS = {
    "rope": rope,
    "embeddings": embeddings,
    "activations": activations,
    "patch_embed_conv": patch_embed_conv,
    "patch_embed_dino": patch_embed_dino,
    "block": block,
    "aggregator": aggregator,
    "camera_head": camera_head,
    "dpt_depth": dpt,
    "dpt_point": dpt,
    "dpt_feature": dpt,
    "corr": corr,
    "tracker": tracker,
}
