"""DUSt3R and MASt3R as backends (docs/pair_networks.md, "Both orders of a pair")."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from masks.errors import UserError
from masks.fill import Fill, fill_named
from pairs.backends.dust3r.fine_matches import fine_matches
from pairs.backends.dust3r.images import NetworkGrid, network_input, on_network_grid
from pairs.backends.dust3r.pair_entry import (
    SUBSAMPLE,
    Decoded,
    descriptor_runs,
    grid_of,
    pair_prediction,
    usual_batch,
)
from pairs.backends.dust3r.similarity import similarity_model_of
from pairs.backends.jobs import Encoding
from pairs.backends.network_options import (
    PRECISIONS,
    chosen_device,
    chosen_engine,
    chosen_fill,
    chosen_precision,
    libraries,
)
from pairs.backends.pairwise import PairwiseBackend
from pairs.backends.protocol import BackendKind
from pairs.matching.correspondences import as_matches, symmetric_matches
from pairs.networks.dust3r.checkpoint import CONFIG_NAME, WEIGHTS_NAME, read_checkpoint, require_fit
from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.load import find_checkpoint, load_network
from pairs.networks.dust3r.network import Encoded, PairNetwork, join
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction
from pairs.views.digest import files_digest
from pairs.views.view import View, grid_mask

VERSION = 1
"""Raised whenever something else is computed from equal weights and views: all that was stored before is then
made again."""


@dataclass(frozen=True, slots=True)
class PairNetworkOptions:
    """What can be chosen about DUSt3R and MASt3R by name. What is none is the backend's choice."""

    weights: str | Path | None = None
    """A `.pth` file, a Hugging Face folder, or the name of a published checkpoint."""
    device: str | None = None
    """Where it runs: cpu, cuda, cuda:1, mps."""
    precision: str | None = None
    """Of encoder and decoders: float32, bfloat16, float16."""
    batch: int | None = None
    """Pairs that are decoded at once, memory permitting."""
    fill: str | None = None
    """What stands behind the object when the network looks, by the names of `masks.fill`."""
    retrieval: str | Path | None = None
    """File of a retrieval head, made for this network, with its codebook beside it."""
    engine: str = "process"
    """Where pairs are predicted: process (this one), or ray."""


def make_mast3r(options: PairNetworkOptions | None = None, seed: int = 0) -> PairwiseBackend:
    """Return MASt3R: pointmaps, and matches from descriptors. Nothing in it is drawn at random."""
    return _make("mast3r", options or PairNetworkOptions())


def make_dust3r(options: PairNetworkOptions | None = None, seed: int = 0) -> PairwiseBackend:
    """Return DUSt3R: pointmaps, and matches where points are each other's nearest. Nothing in it is drawn at
    random.
    """
    return _make("dust3r", options or PairNetworkOptions())


DUST3R = BackendKind(PairNetworkOptions, make_dust3r)
MAST3R = BackendKind(PairNetworkOptions, make_mast3r)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What it takes to open a network in any process of this machine."""

    path: Path
    """Of the checkpoint."""
    device: str
    precision: str
    fill: str
    subsample: int = SUBSAMPLE
    """Pixels between the seeds from which matches are searched, in both directions."""


@dataclass(frozen=True, slots=True)
class NetworkModel:
    """A network that answers in arrays."""

    network: PairNetwork
    fill: Fill
    subsample: int

    def encode(self, view: View) -> Encoding:
        """Return the tokens of a view on the network's grid, and which of its pixels count."""
        with torch.inference_mode():
            encoded = self.network.encode(network_input(view, self.fill).to(self.network.device))
        inside = grid_mask(view)
        return {
            "tokens": _array(encoded.tokens[0]),
            "positions": _array(encoded.positions[0]),
            "inside": inside,
        }

    def decode(self, pairs: Sequence[tuple[Encoding, Encoding]]) -> list[PairEntry]:
        """Return both runs of every pair; with descriptors its matches inside the masks as well."""
        with torch.inference_mode():
            ab, ba = self._both_orders([a for a, _ in pairs], [b for _, b in pairs])
            return [self._entry(ab, ba, pair, row) for row, pair in enumerate(pairs)]

    def fine_matches(self, a: View, b: View, coarse: Matches) -> Matches:
        """Return matches in pixels of the upright photos, by crops of them, from coarse ones on the views'
        grids.
        """
        return fine_matches(self.network, a, b, coarse, self.fill)

    def _both_orders(self, first: Sequence[Encoding], second: Sequence[Encoding]) -> tuple[Decoded, Decoded]:
        a, b = self._batch(first), self._batch(second)
        if a.size != b.size:
            return self.network.decode(a, b), self.network.decode(b, a)
        # Both orders in one call where the sizes allow it: then both sides are batches of one shape.
        both = self.network.decode(join([a, b]), join([b, a]))
        forward, backward = slice(None, len(first)), slice(len(first), None)
        return (_rows(both[0], forward), _rows(both[1], forward)), (
            _rows(both[0], backward),
            _rows(both[1], backward),
        )

    def _batch(self, encodings: Sequence[Encoding]) -> Encoded:
        tokens, positions = (
            torch.from_numpy(np.stack([each[name] for each in encodings])) for name in ("tokens", "positions")
        )
        h, w = encodings[0]["inside"].shape
        return Encoded(tokens.to(self.network.device), positions.to(self.network.device), (h, w))

    def _entry(self, ab: Decoded, ba: Decoded, pair: tuple[Encoding, Encoding], row: int) -> PairEntry:
        there, back = (_sound(pair_prediction(decoded, row), self.network.precision) for decoded in (ab, ba))
        runs = descriptor_runs(ab, ba, [side["inside"] for side in pair], row)
        return PairEntry(
            there, back, None if runs is None else as_matches(symmetric_matches(runs, self.subsample))
        )


def open_network(spec: NetworkSpec) -> NetworkModel:
    """Return the network of a spec, ready to be asked."""
    network = load_network(spec.path, spec.device, PRECISIONS[spec.precision])
    return NetworkModel(network, fill_named(spec.fill), spec.subsample)


def network_key(kind: str, spec: NetworkSpec) -> str:
    """Return the line that tells a network's predictions from those of any other."""
    chosen = {
        "weights": weights_digest(spec.path),
        "precision": spec.precision,
        "fill": spec.fill,
        "subsample": spec.subsample,
    }
    return (
        f"{kind} {VERSION} ({libraries()}, {torch.device(spec.device).type}) "
        f"{json.dumps(chosen, sort_keys=True)}"
    )


def weights_digest(path: Path) -> str:
    """Return a digest of a checkpoint's bytes, a file or a folder."""
    return files_digest(path / CONFIG_NAME, path / WEIGHTS_NAME) if path.is_dir() else files_digest(path)


def _make(kind: str, options: PairNetworkOptions) -> PairwiseBackend:
    spec = NetworkSpec(
        path=find_checkpoint(options.weights or kind).absolute(),
        device=chosen_device(options),
        precision=chosen_precision(options),
        fill=chosen_fill(options),
    )
    checkpoint = read_checkpoint(spec.path)
    config = checkpoint.config
    if config.kind != kind:
        raise UserError(
            f"`weights={options.weights}`: a checkpoint of {config.kind}. Pass `backend={config.kind}`, or "
            "other weights."
        )
    # The network is built when the first pair is asked for, minutes later: what does not fit is better said
    # now.
    require_fit(checkpoint)
    grid = grid_of(config)
    return PairwiseBackend(
        key=network_key(kind, spec),
        fixed_grid=_in_words(grid),
        to_grid=functools.partial(on_network_grid, grid=grid),
        open_model=functools.partial(open_network, spec),
        batch=_batch(options.batch, spec.device),
        engine=chosen_engine(options.engine, spec.device),
        similarity_model=None
        if options.retrieval is None
        else similarity_model_of(Path(options.retrieval), config, torch.device(spec.device)),
    )


def _batch(pairs: int | None, device: str) -> int:
    if pairs is None:
        return usual_batch(torch.device(device))
    if pairs < 1:
        raise UserError(f"`batch={pairs}`: at least one pair is decoded at a time. Give 1 or more.")
    return pairs


def _in_words(grid: NetworkGrid) -> str:
    return f"images of {grid.size} pixels in patches of {grid.patch}, as the network was trained on"


def _sound(run: PairPrediction, precision: torch.dtype) -> PairPrediction:
    """Return a run if its confidences can be."""
    # Heads are float32, so this is where an overflow of half-precision tokens comes to light.
    if all(((conf >= 1) & (conf < np.inf)).all() for conf in (run.a_conf, run.b_conf)):
        return run
    remedy = (
        "Use weights as they were published." if precision == torch.float32 else "Use `precision=float32`."
    )
    raise UserError(
        "the network gives confidences that are below 1 or no finite numbers in "
        f"{str(precision).removeprefix('torch.')}. {remedy}"
    )


def _rows(output: HeadOutput, rows: slice) -> HeadOutput:
    points, conf, *described = (getattr(output, field.name) for field in fields(output))
    return HeadOutput(points[rows], conf[rows], *(None if each is None else each[rows] for each in described))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
