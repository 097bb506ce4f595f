"""A small retrieval head with its codebook."""

from __future__ import annotations

import pickle
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch

from pairs.retrieval.files import codebook_path
from pairs.retrieval.head import HeadOptions, RetrievalHead


def write_head(folder: Path, dim: int = 16) -> Path:
    """Write a retrieval head for encoders of that many channels, its codebook beside it; return its path."""
    path = folder / "net_retrieval_small.pth"
    args = Namespace(hdims="", prewhiten=-1, postwhiten=None, nfeat=8, nclusters=8, featweights="l2norm")
    torch.save(
        {"args": args, "model": RetrievalHead(HeadOptions(dim=dim, prewhiten=True)).state_dict()}, path
    )
    centroids = np.random.default_rng(0).normal(size=(8, dim)).astype(np.float32)
    codebook_path(path).write_bytes(
        pickle.dumps({"type": "Codebook", "params": {"size": 8}, "state": {"centroids": centroids}})
    )
    return path
