from __future__ import annotations

import contextlib
import os
import pickle
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from masks.errors import FormatError
from pairs.retrieval.array_pickle import read_arrays
from pairs.retrieval.files import codebook_path, number_of_words, read_codebook, read_retrieval
from pairs.retrieval.head import HeadOptions, RetrievalHead

CENTROIDS = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)


class Payload:
    """Runs a program when it is unpickled by an unguarded reader."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


def codebook(centroids: object = CENTROIDS, size: object = 8) -> dict:
    return {"type": "Codebook", "params": {"size": size}, "state": {"centroids": centroids}}


def write_model(folder: Path, **changes: object) -> Path:
    """Write a small head with its codebook; return the head's path."""
    args = {
        "hdims": "5_6",
        "prewhiten": -1,
        "postwhiten": None,
        "nfeat": 4,
        "nclusters": 8,
        "featweights": "l2norm",
    } | changes
    head = RetrievalHead(HeadOptions(dim=6, hidden_dims=(5, 6), prewhiten=True))
    path = folder / "net_retrieval_small.pth"
    torch.save({"args": Namespace(**args), "model": head.state_dict()}, path)
    codebook_path(path).write_bytes(pickle.dumps(codebook()))
    return path


def test_a_head_comes_with_the_codebook_beside_it(tmp_path):
    model = read_retrieval(write_model(tmp_path))
    assert codebook_path(tmp_path / "a_retrieval_trainingfree.pth").name == "a_retrieval_codebook.pkl"
    assert np.array_equal(model.centroids.numpy(), CENTROIDS)
    assert model.head.prewhiten.p.dtype == torch.float64
    assert not model.head.options.residual
    assert not any(parameter.requires_grad for parameter in model.head.parameters())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "array", [CENTROIDS, np.asfortranarray(CENTROIDS), CENTROIDS.astype(">f8"), CENTROIDS[:2].T]
)
def test_arrays_of_every_protocol_are_read(protocol, array):
    found = read_arrays(pickle.dumps(codebook(array), protocol), "book")["state"]["centroids"]
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def test_names_of_older_and_newer_numpy_are_read():
    newer = pickle.dumps(codebook(), 2)
    older = newer.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    for data in (newer, older):
        assert np.array_equal(read_arrays(data, "book")["state"]["centroids"], CENTROIDS)


@pytest.mark.parametrize("place", ["centroids", "size", "whole"])
def test_a_foreign_codebook_is_never_executed(tmp_path, place):
    witness = tmp_path / "executed"
    payload = Payload(witness)
    content = {"centroids": codebook(payload), "size": codebook(size=payload), "whole": payload}[place]
    path = tmp_path / "book.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(FormatError, match="Nothing in it was run"):
        read_codebook(path, 8)
    assert not witness.exists()
    pickle.loads(path.read_bytes())  # the payload does work where nothing guards
    assert witness.exists()


def test_a_foreign_head_is_never_executed(tmp_path):
    path, witness = write_model(tmp_path), tmp_path / "executed"
    torch.save({"args": Namespace(), "model": {"x": Payload(witness)}}, path)
    with pytest.raises(FormatError, match=r"holds the object \S+\.mkdir, and is not read"):
        read_retrieval(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "not a retrieval head"),
        ({"args": Namespace(model="AsymmetricMASt3R()"), "model": {}}, "not a retrieval head"),
        (
            {
                "args": Namespace(hdims="", prewhiten=None, postwhiten=None, nfeat=4, nclusters=8),
                "model": {"x": 1},
            },
            "no plain tensors",
        ),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path, content, message):
    path = tmp_path / "net_retrieval_small.pth"
    torch.save(content, path)
    with pytest.raises(FormatError, match=message) as refused:
        read_retrieval(path)
    assert str(path) in str(refused.value)


def test_a_text_and_a_truncated_head_are_named(tmp_path):
    path = write_model(tmp_path)
    for data in (b"hello", path.read_bytes()[:-300]):
        path.write_bytes(data)
        with pytest.raises(
            FormatError, match=r"net_retrieval_small\.pth: is no torch checkpoint, or was cut off"
        ):
            read_retrieval(path)


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle",
        pickle.dumps(codebook())[:-40],
        pickle.dumps(np.array([object()])),
        pickle.dumps(np.array(["text"])),
        pickle.dumps(Path("/")),
        _global("numpy", "save") + b".",
        _global("builtins", "eval") + b"(V1\ntR.",
        _global("numpy.core.multiarray", "scalar") + b".",
        _global("numpy", "dtype") + b"(Vf4\ntR(I3\nV|\ntb.",
        _global("numpy", "ndarray") + b"(I1000000000000\ntR.",
        _global("_codecs", "encode") + b"(Vx\nVrot13\ntR.",
        _global("_codecs", "encode") + b"(N(dV__defaults__\n(V1\ntstb.",
        pickle.dumps(np.zeros((4, 3), np.float32)).replace(b"K\x04K\x03", b"K\x04K\xff"),
    ],
)
def test_what_is_no_plain_array_is_refused(data):
    with pytest.raises(FormatError, match="not a pickle of plain arrays"):
        read_arrays(data, "book")


@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    protocol=st.sampled_from([0, 2, 4, 5]),
)
def test_a_damaged_codebook_is_read_or_refused_and_nothing_else(changes, protocol):
    data = bytearray(pickle.dumps(codebook(), protocol))
    for place, value in changes:
        data[place % len(data)] = value
    with contextlib.suppress(FormatError):
        read_arrays(bytes(data), "book")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "not a codebook"),
        ({"type": "Codebook", "params": {}}, "'size' is missing"),
        (codebook(np.zeros(8, np.float32)), "no table"),
        (codebook() | {"type": "Kernel"}, "no table"),
        (codebook(size=9), "9 stated"),
        (codebook(CENTROIDS[:7]), "7 words"),
        (codebook(size="many"), "no number of words"),
        (codebook(size="9" * 5000), "no number of words"),
        (codebook(size=10**5000), "a number of too many digits stated"),
        (codebook(np.full((8, 6), np.nan, np.float32)), "no finite numbers"),
        (codebook(np.full((8, 6), 1e300)), "no finite numbers"),
        (np.ones(3), "not a codebook"),
        ({"type": "Codebook", "params": np.ones(3)}, "not a codebook"),
    ],
)
def test_a_wrong_codebook_is_named(tmp_path, content, message):
    path = tmp_path / "book.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(FormatError, match=message) as error:
        read_codebook(path, 8)
    assert str(path) in str(error.value)


def test_dictionaries_that_hold_one_another_are_looked_at_once():
    shared = {}
    for _ in range(60):
        shared = {"a": shared, "b": shared}
    found = read_arrays(pickle.dumps(shared), "book")
    assert found["a"] is found["b"]
    assert found["a"]["b"]["a"]["b"]


def test_one_array_named_a_thousand_times_takes_the_memory_of_one():
    array = np.zeros(1000, np.float32)
    once = pickle.dumps([array], 4)
    at = once.index(array.tobytes()[:16])
    assert at > 0
    found = read_arrays(pickle.dumps({str(k): array for k in range(1000)}, 4), "book")
    assert len({entry.ctypes.data for entry in found.values()}) == 1


def test_a_missing_codebook_and_a_missing_head_are_named(tmp_path):
    path = write_model(tmp_path)
    codebook_path(path).unlink()
    with pytest.raises(FormatError, match="net_retrieval_codebook"):
        read_retrieval(path)
    with pytest.raises(FormatError, match="gone"):
        read_retrieval(tmp_path / "gone.pth")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hdims": "5_7"}, "do not fit"),
        ({"hdims": "x"}, "do not fit"),
        ({"hdims": 5}, "do not fit"),
        ({"nfeat": "many"}, "do not fit"),
        ({"postwhiten": -1}, "do not fit"),
        ({"residual": True, "hdims": ""}, "do not fit"),
        ({"featweights": "softmax"}, "softmax"),
        ({"nclusters": 9}, "8 words"),
        ({"nclusters": None}, "no number of words"),
    ],
)
def test_args_that_do_not_fit_the_weights_are_refused(tmp_path, changes, message):
    with pytest.raises(FormatError, match=message):
        read_retrieval(write_model(tmp_path, **changes))


def test_centroids_of_another_width_are_refused(tmp_path):
    path = write_model(tmp_path)
    codebook_path(path).write_bytes(pickle.dumps(codebook(np.zeros((8, 5), np.float32))))
    with pytest.raises(FormatError, match="5 channels"):
        read_retrieval(path)


@pytest.mark.parametrize(("stated", "expected"), [(7, 7), ("7", 7), ("64k", 65536), ("2M", 2 * 1024**2)])
def test_numbers_of_words(stated, expected):
    assert number_of_words(stated, Path("x")) == expected
