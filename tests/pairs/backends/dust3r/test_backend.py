"""DUSt3R and MASt3R as backends, on tiny weights: the batched way and the pair-by-pair way agree, and masks
are obeyed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from masked_photos import contents, photos
from plain_pair import predict_entry
from tiny_networks import tiny_network, write_folder, write_pth

from masks.errors import FormatError, UserError
from masks.fill import mean
from masks.progress import silent
from pairs.backends.dust3r.backend import PairNetworkOptions, make_dust3r, make_mast3r
from pairs.backends.pairwise import PairwiseBackend
from pairs.backends.registry import make_backend
from pairs.networks.dust3r.load import load_network
from pairs.prediction.pair_file import entry_to_arrays
from pairs.prediction.predictions import Predictions
from pairs.prediction.store import PredictionStore
from pairs.views.view import View, grid_mask

HEADS = {"catmlp+dpt": make_mast3r, "dpt": make_dust3r, "linear": make_dust3r}


def backend(folder: Path, head: str = "catmlp+dpt", **options: object) -> PairwiseBackend:
    weights = write_pth(folder / f"{head}.pth", tiny_network(head))  # pyright: ignore[reportArgumentType]
    return HEADS[head](PairNetworkOptions(weights=weights, device="cpu", **options))  # pyright: ignore[reportArgumentType]


def predict(made: PairwiseBackend, views: tuple[View, ...], store: Path) -> Predictions:
    return made.predict(views, None, PredictionStore(store), silent)


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("head", list(HEADS))
def test_batches_of_photos_encoded_once_say_what_each_pair_says_alone(
    tmp_path: Path, head: str, batch: int
) -> None:
    made = backend(tmp_path, head, batch=batch)
    found = predict(made, photos(tmp_path), tmp_path / "store")
    network = load_network(tmp_path / f"{head}.pth")
    assert len(found.edges) == 6
    for k, (a, b) in enumerate(found.edges):
        together = entry_to_arrays(found.load(k))
        alone = entry_to_arrays(predict_entry(network, found.views[a], found.views[b], fill=mean))
        assert list(together) == list(alone)
        for name, array in together.items():
            np.testing.assert_allclose(
                array, alone[name], rtol=1e-5, atol=1e-5, err_msg=f"{name} of {a} and {b}"
            )


@pytest.mark.parametrize("head", list(HEADS))
def test_every_network_encodes_each_photo_once(
    tmp_path: Path, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    plain = type(tiny_network()).encode
    monkeypatch.setattr(
        type(tiny_network()), "encode", lambda self, images: calls.append(len(images)) or plain(self, images)
    )
    predict(backend(tmp_path, head), photos(tmp_path), tmp_path / "store")
    assert calls == [1, 1, 1, 1]


@pytest.mark.parametrize("head", ["catmlp+dpt", "linear"])
def test_no_match_starts_or_ends_outside_a_mask(tmp_path: Path, head: str) -> None:
    found = predict(backend(tmp_path, head), photos(tmp_path), tmp_path / "store")
    for k, edge in enumerate(found.edges):
        matches = found.load(k).matches
        assert matches is not None
        assert len(matches.conf) > 0
        for view, xy in zip(edge, (matches.xy_a, matches.xy_b)):
            column, row = xy.astype(int).T
            assert grid_mask(found.views[view])[row, column].all()


@pytest.mark.parametrize("fill", ["mean", "constant", "keep"])
def test_what_stands_behind_the_object_changes_nothing_unless_it_is_kept(tmp_path: Path, fill: str) -> None:
    made = backend(tmp_path, fill=fill)
    entries = []
    for backdrop in (0, 1):
        found = predict(made, photos(tmp_path / str(backdrop), backdrop=backdrop), tmp_path / "store")
        entries.append([entry_to_arrays(found.load(k)) for k in range(len(found.edges))])
    same = all(np.array_equal(one[name], other[name]) for one, other in zip(*entries) for name in one)
    assert same == (fill != "keep")


def test_equal_runs_leave_equal_bytes(tmp_path: Path) -> None:
    views, made = photos(tmp_path), backend(tmp_path, batch=4)
    for store in ("one", "other"):
        predict(made, views, tmp_path / store)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_folder_of_the_hub_answers_as_the_file(tmp_path: Path) -> None:
    views = photos(tmp_path, masked=False)
    whole = predict(backend(tmp_path), views, tmp_path / "store")
    folder = write_folder(tmp_path / "hub", tiny_network())
    other = predict(
        make_mast3r(PairNetworkOptions(weights=str(folder), device="cpu")), views, tmp_path / "store"
    )
    for k in range(len(whole.edges)):
        one, two = entry_to_arrays(whole.load(k)), entry_to_arrays(other.load(k))
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_the_views_come_back_on_the_networks_grid(tmp_path: Path) -> None:
    made = backend(tmp_path)
    found = predict(made, photos(tmp_path), tmp_path / "store")
    assert [view.image.shape for view in found.views] == [(48, 64, 3)] * 2 + [(64, 48, 3)] * 2
    assert "64 pixels" in made.fixed_grid
    assert found.cameras is None


def test_reduced_precision_is_near_and_kept_apart(tmp_path: Path) -> None:
    views = photos(tmp_path)
    full, reduced = (
        predict(backend(tmp_path, precision=name), views, tmp_path / "store").load(0).ab
        for name in ("float32", "bfloat16")
    )
    assert full is not None
    assert reduced is not None
    assert reduced.a_conf.dtype == np.float32
    assert not np.array_equal(full.a_conf, reduced.a_conf)
    np.testing.assert_allclose(full.a_conf, reduced.a_conf, rtol=0.1, atol=0.1)


def test_the_key_tells_apart_what_changes_a_prediction_and_nothing_else(tmp_path: Path) -> None:
    key = backend(tmp_path).key
    assert "\n" not in key
    assert key == backend(tmp_path, batch=5).key
    others = [
        backend(tmp_path, precision="bfloat16").key,
        backend(tmp_path, fill="keep").key,
        backend(tmp_path, "dpt").key,
    ]
    weights = write_pth(tmp_path / "other.pth", tiny_network(seed=1))
    others.append(make_mast3r(PairNetworkOptions(weights=weights, device="cpu")).key)
    assert len({key, *others}) == 5


def test_confidences_that_cannot_be_are_not_stored(tmp_path: Path) -> None:
    network = tiny_network("linear")
    with torch.no_grad():
        network.downstream_head1.proj.weight.mul_(1e4)
    weights = write_pth(tmp_path / "wild.pth", network)
    with pytest.raises(UserError, match="no finite numbers in float32"):
        predict(
            make_dust3r(PairNetworkOptions(weights=weights, device="cpu")),
            photos(tmp_path),
            tmp_path / "store",
        )
    assert not (tmp_path / "store" / "pairs").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"precision": "int8"}, "`precision=int8`: unknown. Choose one of float32"),
        ({"batch": 0}, "`batch=0`: at least one pair"),
        ({"fill": "pink"}, "'pink' is not known"),
        ({"device": "magic"}, "device magic: unknown"),
        ({"device": "meta"}, "networks run on cpu, cuda, mps"),
        ({"weights": "nowhere.pth"}, r"nowhere\.pth: no such file"),
    ],
)
def test_what_cannot_be_chosen_is_named(tmp_path: Path, given: dict[str, object], said: str) -> None:
    weights = write_pth(tmp_path / "net.pth", tiny_network())
    with pytest.raises(UserError, match=said):
        make_mast3r(PairNetworkOptions(**{"weights": weights, "device": "cpu", **given}))  # pyright: ignore[reportArgumentType]


def test_weights_that_do_not_fit_are_refused_before_any_photo_is_read(tmp_path: Path) -> None:
    network = tiny_network("linear")
    state = {name: tensor for name, tensor in network.state_dict().items() if name != "enc_norm.bias"}
    with pytest.raises(FormatError, match=r"net\.pth: 1 tensors missing: enc_norm\.bias"):
        make_dust3r(PairNetworkOptions(weights=write_pth(tmp_path / "net.pth", network, state)))


def test_a_checkpoint_of_the_other_paper_is_refused(tmp_path: Path) -> None:
    weights = write_pth(tmp_path / "net.pth", tiny_network("dpt"))
    with pytest.raises(UserError, match=r"a checkpoint of dust3r\. Pass `backend=dust3r`"):
        make_backend("mast3r", weights=weights)


def test_options_of_networks_are_refused_by_others() -> None:
    with pytest.raises(
        UserError, match=r"`weights=net\.pth`, `batch=2`: means nothing to the backend classical"
    ):
        make_backend("classical", weights="net.pth", batch=2)
