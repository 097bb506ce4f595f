"""The pair network, part by part and whole."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
import torch
from golden_case import Case, under
from network_weights import drawn_state
from torch import Tensor, nn

from golden_kinds.network_check import check
from pairs.networks.dust3r.checkpoint import build_network, read_checkpoint
from pairs.networks.dust3r.config import DptWidths, Mode, NetworkConfig, OutputModes
from pairs.networks.dust3r.constructor import config_from_string
from pairs.networks.dust3r.heads import HeadOutput, head_output
from pairs.networks.dust3r.network import PairNetwork
from pairs.networks.layers import DecoderBlock, EncoderBlock, PatchEmbed, apply_rope, rotation
from pairs.train.mixed_orientation import ImageBatch, encode_sides, predict_batch

__all__ = ["FAMILY", "HANDLERS", "check", "network_of"]

FAMILY = "network"


def rope(case: Case) -> dict[str, Tensor]:
    tokens = case.inputs["tokens"].transpose(1, 2)
    turn = rotation(case.inputs["positions"], case.options["head_dim"], case.options["base"])
    return {"out": apply_rope(tokens, turn).transpose(1, 2)}


def block(case: Case) -> dict[str, Tensor]:
    options, data = case.options, case.inputs
    head_dim = options["dim"] // options["num_heads"]
    turn = rotation(data["xpos"], head_dim, options["rope_base"])
    if options["block"] == "encoder":
        encoder = _with_weights(
            EncoderBlock(options["dim"], options["num_heads"], options["mlp_ratio"]), case
        )
        return {
            "out": encoder(data["x"], turn),
            "attn_of_norm1": encoder.attn(encoder.norm1(data["x"]), turn),
        }
    decoder = DecoderBlock(
        options["dim"], options["num_heads"], options["mlp_ratio"], norm_memory=options["norm_mem"]
    )
    memory_turn = rotation(data["ypos"], head_dim, options["rope_base"])
    return {"out": _with_weights(decoder, case)(data["x"], data["y"], turn, memory_turn)}


def patch_embed(case: Case) -> dict[str, Tensor]:
    embed = _with_weights(PatchEmbed(case.options["patch_size"], case.options["embed_dim"]), case)
    images, true_size = case.inputs["img"], case.inputs["true_shape"]
    mixed = case.options["cls"] == "ManyAR_PatchEmbed"
    tokens, positions = (
        embed.forward_mixed(images, true_size[:, 0] > true_size[:, 1]) if mixed else embed(images)
    )
    return {"tokens": tokens, "positions": positions}


def _with_weights(module: nn.Module, case: Case) -> nn.Module:
    """Return a module with the stored weights, which must also be those that the procedure draws."""
    stored = under(case.inputs, "weights.")
    drawn, digest = drawn_state(
        {name: tensor.shape for name, tensor in stored.items()}, case.description["weights"]["seed"]
    )
    assert digest == case.description["weights"]["sha256"]
    assert all(torch.equal(drawn[name], stored[name]) for name in stored)
    module.load_state_dict(stored)
    return module.eval().requires_grad_(False)


def postprocess(case: Case) -> dict[str, Tensor]:
    options = case.options
    conf = _mode(options["conf_mode"])
    own = (_mode(options["desc_conf_mode"]) or conf) if options["two_confs"] else None
    modes = OutputModes(_mode(options["depth_mode"]) or ("", 0, 0), conf, options["desc_dim"] or 0, own)
    raw = case.inputs["raw"].permute(0, 2, 3, 1)
    local = raw[..., modes.geometry_channels :] if options["family"] == "mast3r" else None
    return _named(head_output(raw[..., : modes.geometry_channels], local, modes), "pts3d")


def _mode(stored: list[Any] | None) -> Mode | None:
    return None if stored is None else (stored[0], float(stored[1]), float(stored[2]))


def _named(output: HeadOutput, points: str) -> dict[str, Tensor]:
    """Return an output under the published names."""
    named = {points: output.points, "conf": output.conf, "desc": output.desc, "desc_conf": output.desc_conf}
    return {name: value for name, value in named.items() if value is not None}


def network_of(case: Case) -> PairNetwork:
    """Return the network that a case describes, with its stored or drawn weights."""
    weights = case.description["weights"]
    if weights["source"] in ("pth", "hf"):
        return build_network(read_checkpoint(case.folder / weights.get("file", weights.get("dir"))))
    config = _config(case.description["model"])
    with torch.device("meta"):
        network = PairNetwork(config)
    state, digest = drawn_state(
        {name: tensor.shape for name, tensor in network.state_dict().items()}, weights["seed"]
    )
    assert digest == weights["sha256"]
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _config(model: dict[str, Any]) -> NetworkConfig:
    config = config_from_string(model["string"], "model string")
    widths = model["head_dims"]
    return replace(
        config,
        dpt=widths and DptWidths(tuple(widths["layer_dims"]), widths["feature_dim"], widths["last_dim"]),
    )


def model(case: Case) -> dict[str, Tensor]:
    _need_memory(case)
    network = network_of(case)
    first, second = (
        ImageBatch(
            case.inputs[f"img{side}"],
            case.inputs[f"true_shape{side}"],
            tuple(case.options[f"instance{side}"]),
        )
        for side in (1, 2)
    )
    with torch.inference_mode():
        encoded = encode_sides(network, first, second)
        layers = network.decode_tokens(*encoded)
        one, two = predict_batch(network, first, second)
    found = {"dec1_mid": layers[0][(network.config.decoder.depth + 1) // 2]}
    for side in (0, 1):
        found |= {
            f"enc_feat{side + 1}": encoded[side].tokens,
            f"pos{side + 1}": encoded[side].positions,
            f"dec{side + 1}_last": layers[side][-1],
        }
    found |= {f"pred1.{name}": value for name, value in _named(one, "pts3d").items()}
    found |= {f"pred2.{name}": value for name, value in _named(two, "pts3d_in_other_view").items()}
    return (
        {name: _stored_part(name, value) for name, value in found.items()}
        if "output_subsample" in case.options
        else found
    )


def _stored_part(name: str, value: Tensor) -> Tensor:
    """Return the strided part that large cases store (`output_subsample`)."""
    return value[:, ::8, ::8] if name.startswith("pred") else value[:, ::10, ::16]


def _need_memory(case: Case) -> None:
    if not case.options.get("slow"):
        return
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    if free < 8 * 2**30:
        pytest.skip(f"{case.folder.name} needs 8 GiB of free memory")


HANDLERS = {
    "rope": rope,
    "block": block,
    "patch_embed": patch_embed,
    "postprocess": postprocess,
    "model_linear": model,
    "model_dpt": model,
    "model_catmlpdpt": model,
}
