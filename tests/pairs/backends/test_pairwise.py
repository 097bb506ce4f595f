"""Any model of pairs as a backend: what is looked at once, what is never done again, and what a batch may
change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import networkx
import numpy as np
import pytest

from masks.errors import FormatError, GraphError, UserError
from masks.notice import Level
from masks.pixelmap import identity
from masks.progress import silent
from pairs.backends.jobs import Encoding, pair_batches
from pairs.backends.pairwise import PairwiseBackend, usual_graph
from pairs.prediction.predictions import Matches, PairEntry, PairPrediction
from pairs.prediction.store import PredictionStore
from pairs.views.digest import digest
from pairs.views.view import View

LAND, PORT = (16, 8), (8, 16)


@dataclass
class PlainModel:
    """Tells how bright both photos are. Like a real one it rounds otherwise in another batch, only
    far more.
    """

    room: int = 100
    """Pairs that the memory suffices for."""
    stop_after: int = 100
    """Batches after which somebody stops the program."""
    opened: int = 0
    encoded: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def open(self) -> PlainModel:
        self.opened += 1
        return self

    def encode(self, view: View) -> Encoding:
        self.encoded.append(view.name)
        return {"level": np.array(view.image.mean(), np.float32), "size": np.array(view.image.shape[:2])}

    def decode(self, pairs: Sequence[tuple[Encoding, Encoding]]) -> list[PairEntry]:
        if len(pairs) > self.room:
            raise MemoryError
        if len(self.batches) == self.stop_after:
            raise KeyboardInterrupt
        self.batches.append(len(pairs))
        return [_entry(a, b, 0.01 * len(pairs) + 0.001 * row) for row, (a, b) in enumerate(pairs)]


def _entry(a: Encoding, b: Encoding, noise: float) -> PairEntry:
    maps = [np.full((*each["size"], 3), each["level"] + noise, np.float32) for each in (a, b)]
    confs = [np.ones(tuple(each["size"]), np.float32) for each in (a, b)]
    return PairEntry(
        PairPrediction(maps[0], maps[1], confs[0], confs[1]),
        PairPrediction(maps[1], maps[0], confs[1], confs[0]),
        Matches(np.ones((1, 2)), np.ones((1, 2)), np.ones(1)),
    )


def views(count: int, sizes: Sequence[tuple[int, int]] = (LAND,)) -> list[View]:
    made = []
    for k in range(count):
        w, h = sizes[k % len(sizes)]
        image = np.full((h, w, 3), 10 * k, np.uint8)
        made.append(View(f"{k}.png", None, image, identity((w, h)), None, digest(image)))
    return made


def backend(model: PlainModel, batch: int = 4) -> PairwiseBackend:
    return PairwiseBackend("plain 1", "", lambda view: view, model.open, batch)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))
    }


def test_each_photo_is_looked_at_once_however_many_pairs_it_is_in(tmp_path: Path) -> None:
    model = PlainModel()
    found = backend(model).predict(views(5), None, PredictionStore(tmp_path), silent)
    assert len(found.edges) == 10
    assert model.encoded == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert model.batches == [4, 4, 2]


def test_a_second_run_does_not_even_read_the_weights(tmp_path: Path) -> None:
    model = PlainModel()
    for _ in range(2):
        found = backend(model).predict(views(3), None, PredictionStore(tmp_path), silent)
    assert model.opened == 1
    entry = found.load(found.edges.index((0, 2)))
    assert entry.ab is not None
    np.testing.assert_allclose(entry.ab.b_in_a, 20, atol=0.05)


@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_a_stopped_run_goes_on_and_leaves_the_bytes_of_one_that_was_not(
    tmp_path: Path, stop_after: int
) -> None:
    backend(PlainModel()).predict(views(5), None, PredictionStore(tmp_path / "whole"), silent)
    stopped, store = PlainModel(stop_after=stop_after), PredictionStore(tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        backend(stopped).predict(views(5), None, store, silent)
    again = PlainModel()
    backend(again).predict(views(5), None, store, silent)
    assert again.encoded == []
    assert stopped.batches + again.batches == [4, 4, 2]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def flipped(whole: bytes) -> bytes:
    return whole[:-1] + bytes([whole[-1] ^ 1])


@pytest.mark.parametrize("damage", [lambda whole: whole[:50], flipped], ids=["truncated", "flipped"])
def test_a_batch_that_was_kept_in_part_is_rounded_as_the_whole_one(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    store = PredictionStore(tmp_path)
    backend(PlainModel()).predict(views(5), None, store, silent)
    whole = contents(tmp_path)
    lost = sorted((tmp_path / "pairs").iterdir())[::3]
    lost[0].unlink()
    for path in lost[1:]:
        path.write_bytes(damage(path.read_bytes()))
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "pairs").iterdir() if path not in lost}
    backend(PlainModel()).predict(views(5), None, store, silent)
    assert contents(tmp_path) == whole
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_pairs_of_other_sizes_are_never_in_one_batch(tmp_path: Path) -> None:
    model = PlainModel()
    found = backend(model, 8).predict(views(4, (LAND, PORT)), None, PredictionStore(tmp_path), silent)
    assert sorted(model.batches) == [1, 1, 1, 3]
    for k, (a, b) in enumerate(found.edges):
        entry = found.load(k)
        assert entry.ab is not None
        assert (entry.ab.a_conf.shape, entry.ab.b_conf.shape) == tuple(
            found.views[v].image.shape[:2] for v in (a, b)
        )


def test_a_batch_that_is_too_large_for_the_memory_is_halved_and_that_is_said(tmp_path: Path) -> None:
    model = PlainModel(room=2)
    found = backend(model, 8).predict(views(5), None, PredictionStore(tmp_path), silent)
    assert model.batches == [2, 2, 2, 2, 2]
    assert [(notice.level, notice.subject) for notice in found.notices] == [(Level.WARNING, "memory")] * 2
    assert "8 pairs at a time: at most 4" in found.notices[0].text
    assert all(found.load(k).ab is not None for k in range(10))


def test_an_odd_batch_is_halved_until_it_fits(tmp_path: Path) -> None:
    model = PlainModel(room=1)
    backend(model, 5).predict(views(3), None, PredictionStore(tmp_path), silent)
    assert model.batches == [1, 1, 1]


def test_a_single_pair_without_memory_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"0\.png and 1\.png: the memory does not suffice for one pair"):
        backend(PlainModel(room=0)).predict(views(3), None, PredictionStore(tmp_path), silent)


def test_another_failure_of_the_model_is_not_taken_for_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: PlainModel, pairs: object) -> list[PairEntry]:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(PlainModel, "decode", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        backend(PlainModel()).predict(views(3), None, PredictionStore(tmp_path), silent)


@pytest.mark.parametrize("answered", [0, 1, 4])
def test_a_model_that_answers_for_other_pairs_than_asked_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answered: int
) -> None:
    def careless(self: PlainModel, pairs: Sequence[tuple[Encoding, Encoding]]) -> list[PairEntry]:
        return [_entry(*pairs[0], 0.0)] * answered

    monkeypatch.setattr(PlainModel, "decode", careless)
    with pytest.raises(ValueError, match=f"answered {answered} of 3 pairs"):
        backend(PlainModel()).predict(views(3), None, PredictionStore(tmp_path), silent)
    assert not [name for name in contents(tmp_path) if name.startswith("pairs")]


def test_what_is_remembered_of_photos_is_made_again_when_it_is_damaged(tmp_path: Path) -> None:
    store = PredictionStore(tmp_path)
    backend(PlainModel()).predict(views(4), None, store, silent)
    whole = contents(tmp_path)
    for path in (*(tmp_path / "encodings").iterdir(), *(tmp_path / "pairs").iterdir()):
        path.write_bytes(flipped(path.read_bytes()))
    again = PlainModel()
    backend(again).predict(views(4), None, store, silent)
    assert len(again.encoded) == 4
    assert contents(tmp_path) == whole


def test_a_view_without_a_pair_is_left_out_by_name_and_not_looked_at(tmp_path: Path) -> None:
    model, graph = PlainModel(), networkx.Graph([(3, 1), (1, 1)])
    graph.add_nodes_from(range(4))
    found = backend(model).predict(views(4), graph, PredictionStore(tmp_path), silent)
    assert [view.name for view in found.views] == ["1.png", "3.png"]
    assert found.edges == ((0, 1),)
    assert {notice.subject for notice in found.notices if notice.level is Level.LEFT_OUT} == {
        "0.png",
        "2.png",
    }
    assert model.encoded == ["1.png", "3.png"]


def test_a_graph_without_pairs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="no pairs"):
        backend(PlainModel()).predict(views(3), networkx.empty_graph(3), PredictionStore(tmp_path), silent)


def test_many_views_are_not_all_paired_unless_asked_for_and_that_is_said() -> None:
    names = [f"{k}.png" for k in range(60)]
    graph, notices = usual_graph(names)
    assert networkx.is_connected(graph)
    assert graph.number_of_edges() == 240
    assert "1770 pairs" in notices[0].text
    assert usual_graph(names[:24])[0].number_of_edges() == 276


def test_a_pair_that_vanishes_while_the_program_runs_is_named(tmp_path: Path) -> None:
    found = backend(PlainModel()).predict(views(2), None, PredictionStore(tmp_path), silent)
    next((tmp_path / "pairs").iterdir()).unlink()
    with pytest.raises(FormatError, match=r"0\.png and 1\.png was removed"):
        found.load(0)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        backend(PlainModel(), 0)


def test_only_pairs_of_equal_sizes_share_a_batch():
    assert pair_batches([(1, 2), (1, 2), (2, 1)], [(0, 1), (0, 2), (1, 0), (1, 2), (0, 1)], 2) == [
        [0, 2],
        [4],
        [1, 3],
    ]
    assert pair_batches([], [], 4) == []
