"""VGGT as a whole: small networks, their gradients, and the published size."""

from __future__ import annotations

import json
import os

import pytest
import torch
from golden_case import Case
from torch import Tensor
from vggt_configs import vggt_config
from vggt_weights import with_drawn_weights

from golden_kinds import vggt_check
from pairs.networks.vggt.config import VGGT_1B
from pairs.networks.vggt.network import Vggt, VggtOutput

FAMILY = "vggt"
check = vggt_check.check

_MEMORY = 8 * 2**30


def _named(output: VggtOutput) -> dict[str, Tensor]:
    """Return an output under the published names."""
    encodings = output.encodings or ()
    named = {f"pose_enc_list_{k}": encoding for k, encoding in enumerate(encodings)}
    named |= {"pose_enc": encodings[-1]} if encodings else {}
    for name, dense in (("depth", output.depth), ("world_points", output.points)):
        named |= {} if dense is None else {name: dense.values, f"{name}_conf": dense.conf}
    if output.tracks is None:
        return named
    named |= {"track": output.tracks.xy, "vis": output.tracks.visible}
    return named | ({} if output.tracks.conf is None else {"conf": output.tracks.conf})


def model(case: Case) -> dict[str, Tensor]:
    network = with_drawn_weights(Vggt(vggt_config(case.description["config"])), case)
    with torch.inference_mode():
        return _named(network(case.inputs["images"], case.inputs.get("query_points")))


def model_gradients(case: Case) -> dict[str, Tensor]:
    network = with_drawn_weights(Vggt(vggt_config(case.description["config"])), case).requires_grad_(True)
    named = _named(network(case.inputs["images"], case.inputs.get("query_points")))
    terms = [
        (case.inputs[f"coef_{name}"] * value).sum() / value.numel()
        for name, value in named.items()
        if f"coef_{name}" in case.inputs
    ]
    loss = torch.stack(terms).sum()
    loss.backward()
    grads = {
        name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in network.named_parameters()
    }
    found = {f"grad:{name}": grad for name, grad in grads.items() if f"grad:{name}" in case.outputs}
    rows = [grads[name].double() for name in case.options["rows"]]
    found |= {
        "grad_norm": torch.stack([row.norm() for row in rows]),
        "grad_abs_sum": torch.stack([row.abs().sum() for row in rows]),
    }
    return found | {"loss": loss[None]}


def model_full(case: Case) -> dict[str, Tensor]:
    """Compare the published size; the weights alone are 5 GB."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    if free < _MEMORY:
        pytest.skip(f"{case.folder.name} needs 8 GiB of free memory")
    with torch.device("meta"):
        network = Vggt(VGGT_1B)
    shapes = json.loads((case.folder.parent / "keys_vggt_1b.json").read_text())["keys"]
    with_drawn_weights(network, case, shapes)
    with torch.inference_mode():
        aggregated = network.aggregate(case.inputs["images"][None])
        named = _named(network.read(aggregated, case.inputs.get("query_points")))
    found = {f"tokens_{index}": layer[:, :, ::9, ::64] for index, layer in aggregated.layers.items()}
    for name, value in named.items():
        found[name] = value
        if value.ndim >= 4 and name != "track":
            found |= {f"{name}_sub": value[:, :, 1::4, 2::4], f"{name}_mean": value.double().mean()[None]}
    return found


HANDLERS = {"model": model, "model_gradients": model_gradients, "model_full": model_full}
