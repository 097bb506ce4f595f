"""A pair network on one CPU thread: photos encoded once against pair by pair, batches, and matching under
masks, as Markdown tables.

The network has the published MASt3R's depths at a share of its widths and random weights: what it says means
nothing, what it costs does.

    OMP_NUM_THREADS=1 python benchmarks/network.py --views 5 --batches 1,4
"""

from __future__ import annotations

import argparse
import math
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from memory import in_a_fresh_process
from PIL import Image
from plain_pair import predict_entry
from torch import Tensor

from masks.fill import mean
from masks.progress import silent
from pairs.backends.dust3r.backend import NetworkModel
from pairs.backends.dust3r.images import NetworkGrid, on_network_grid
from pairs.backends.pairwise import PairwiseBackend
from pairs.matching.correspondences import DescriptorMatches, symmetric_matches
from pairs.matching.descriptor_map import DescriptorMap
from pairs.networks.dust3r.config import DptWidths, NetworkConfig, OutputModes, StackConfig
from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.network import Encoded, PairNetwork
from pairs.prediction.store import PredictionStore
from pairs.views.load import load_views
from pairs.views.view import View

_COVERAGES = (1.0, 0.3, 0.1)
_SUBSAMPLE = 8


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured: all pairs of so many photos, a network at one over `divisor` of the
    published widths.
    """

    views: int
    height: int
    """Of photos 4 / 3 as wide."""
    divisor: int
    coverage: float
    """Share of every photo that its mask leaves."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a way of predicting all pairs costs."""

    pairs: int
    seconds: float
    """CPU seconds."""
    encoded: int
    """Photos that went through the encoder, counted as often as they did."""
    decoded: int
    """Calls of the decoders."""
    peak_mb: float


class CountingNetwork(PairNetwork):
    """A network that counts what goes through it."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.encoded = self.decoded = 0

    def encode(self, images: Tensor) -> Encoded:
        """Encode, and count the images."""
        self.encoded += len(images)
        return super().encode(images)

    def decode(self, first: Encoded, second: Encoded) -> tuple[HeadOutput, HeadOutput]:
        """Decode, and count the call."""
        self.decoded += 1
        return super().decode(first, second)


def network_of(divisor: int) -> CountingNetwork:
    """Return a network of the published depths at 1 / divisor of the published widths, laid out in memory as
    a loaded one.
    """
    head = DptWidths()
    first, second, third, fourth = (width // divisor for width in head.layers)
    config = NetworkConfig(
        kind="mast3r",
        encoder=StackConfig(1024 // divisor, 24, 16 // divisor),
        decoder=StackConfig(768 // divisor, 12, 12 // divisor),
        head="catmlp+dpt",
        outputs=OutputModes(desc_dim=24, desc_conf=("exp", 0.0, math.inf)),
        dpt=DptWidths((first, second, third, fourth), head.features // divisor, head.last // divisor),
        image_size=(512, 512),
    )
    network, generator = CountingNetwork(config), torch.Generator().manual_seed(0)
    state = {name: _random(name, like, generator) for name, like in network.state_dict().items()}
    network.load_state_dict(state)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _random(name: str, like: Tensor, generator: torch.Generator) -> Tensor:
    z = torch.randn(like.shape, generator=generator)
    if like.ndim == 1:
        return 0.05 * z + name.endswith("weight")
    return (0.2 if name.endswith("dpt.head.4.weight") else 1.0) * z / math.sqrt(math.prod(like.shape[1:]))


def photos(load: Load, folder: Path) -> tuple[View, ...]:
    """Write photos of noise with a disc as mask, and return them on the network's grid."""
    h, w = load.height, load.height * 4 // 3
    for k in range(load.views):
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (h, w, 3), np.uint8)).save(
            folder / f"{k}.png"
        )
        Image.fromarray(disc((h, w), load.coverage).astype(np.uint8) * 255).save(folder / f"{k}_mask.png")
    views, _ = load_views([folder / f"{k}.png" for k in range(load.views)])
    return tuple(on_network_grid(view, NetworkGrid(size=w)) for view in views)


def disc(size: tuple[int, int], coverage: float) -> np.ndarray:
    """Return a mask (H, W) of the pixels nearest to the middle that make up so much of the picture."""
    y, x = np.indices(size)
    radius = np.hypot(y - (size[0] - 1) / 2, x - (size[1] - 1) / 2)
    return radius <= np.sort(radius.ravel())[round(coverage * radius.size) - 1]


def measure(load: Load, batch: int | None) -> Spent:
    """Return what all pairs cost in batches of so many; without: each as if it were the only one, and not
    stored.
    """
    torch.set_num_threads(1)
    network = network_of(load.divisor)
    with tempfile.TemporaryDirectory() as name:
        views = photos(load, Path(name))
        began = time.process_time()
        if batch is None:
            for b in range(load.views):
                for a in range(b):
                    predict_entry(network, views[a], views[b], _SUBSAMPLE)
        else:
            backend = PairwiseBackend(
                "benchmark", "", lambda view: view, lambda: NetworkModel(network, mean, _SUBSAMPLE), batch
            )
            backend.predict(views, None, PredictionStore(Path(name)), silent)
        seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Spent(load.views * (load.views - 1) // 2, seconds, network.encoded, network.decoded, peak)


def in_its_own_process(load: Load, batch: int | None) -> Spent:
    """Return what `measure` finds in a fresh process, so that the peaks of memory are apart."""
    return in_a_fresh_process(measure, load, batch)


def pair_table(load: Load, batches: list[int]) -> None:
    """Print a row for the pair-by-pair way, and one for each size of a batch."""
    print(
        "| all pairs | encodings a photo | decoder calls | CPU s a pair | times faster | MB |\n| --- | --- "
        "| --- | --- | --- | --- |"
    )
    plain: Spent | None = None
    for batch in (None, *batches):
        spent = in_its_own_process(load, batch)
        plain = plain or spent
        way = "pair by pair" if batch is None else f"encoded once, batches of {batch}"
        cells = [
            f"{way} | {spent.encoded / load.views:g} | {spent.decoded} | {spent.seconds / spent.pairs:.2f}",
            f"{plain.seconds / spent.seconds:.2f} | {spent.peak_mb:.0f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def matching_table(height: int) -> None:
    """Print how long the matches of one pair take under masks that leave ever less."""
    torch.set_num_threads(1)
    print("\n| mask covers | matches | CPU s | share of the time |\n| --- | --- | --- | --- |")
    whole = 0.0
    for coverage in _COVERAGES:
        began = time.process_time()
        found = matched(height, coverage)
        seconds = time.process_time() - began
        whole = whole or seconds
        share = seconds / whole
        print(
            f"| {100 * coverage:.0f} % | {len(found.conf)} | {seconds:.2f} | {100 * share:.1f} % |",
            flush=True,
        )


def matched(height: int, coverage: float) -> DescriptorMatches:
    """Return the matches of a pair of random descriptors inside discs: they converge more slowly than those
    of photos.
    """
    size = (height, height * 4 // 3)
    inside = torch.from_numpy(disc(size, coverage))
    generator = torch.Generator().manual_seed(0)
    desc = torch.nn.functional.normalize(torch.randn((4, *size, 24), generator=generator), dim=-1)
    conf = torch.rand((4, *size), generator=generator)
    a, b, c, d = (DescriptorMap(desc[k], conf[k], inside) for k in range(4))
    return symmetric_matches([(a, b), (c, d)], _SUBSAMPLE)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--views", type=int, default=5)
    parser.add_argument("--height", type=int, default=384, help="of the photos, which are 4 / 3 as wide")
    parser.add_argument(
        "--divisor",
        type=int,
        default=4,
        help="the network's widths are the published ones over this: 1, 2 or 4",
    )
    parser.add_argument(
        "--coverage",
        type=float,
        default=0.3,
        help="share of the photos that the masks of the first table leave",
    )
    parser.add_argument("--batches", default="1,4", help="pairs that are decoded at once")
    arguments = parser.parse_args()
    pair_table(
        Load(arguments.views, arguments.height, arguments.divisor, arguments.coverage),
        [int(n) for n in arguments.batches.split(",")],
    )
    matching_table(arguments.height)


if __name__ == "__main__":
    main()
