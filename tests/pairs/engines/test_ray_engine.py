"""Pairs predicted on a Ray cluster of this machine: the same bytes as in one process, whatever happens to a
worker.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from masked_photos import contents, photos
from pairs.engines.engine_names import engine_named
from tiny_networks import tiny_network, write_pth

from masks.errors import MissingExtraError, UserError
from masks.progress import silent
from pairs.backends.dust3r.backend import make_mast3r
from pairs.backends.jobs import PairModel
from pairs.backends.pairwise import PairwiseBackend
from pairs.backends.protocol import BackendOptions
from pairs.engines.ray_engine import in_ray
from pairs.prediction.store import PredictionStore

WORKERS = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of this machine with two workers' room."""
    ray = pytest.importorskip("ray", reason="ray is not installed (pip install pointloom[distributed])")
    # Workers cannot import a test module by its name.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Mortal:
    """Opens a model whose process is killed at its second batch, once."""

    open_model: Callable[[], PairModel]
    witness: Path

    def __call__(self) -> PairModel:
        model, decoded = self.open_model(), []

        class Dying:
            encode = staticmethod(model.encode)

            def decode(self, pairs):
                decoded.append(1)
                if len(decoded) == 2 and not witness.exists():
                    witness.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return model.decode(pairs)

        witness = self.witness
        return Dying()


class Refusing:
    """A model that cannot look at anything."""

    def encode(self, view):
        raise UserError(f"{view.name}: too dark.")

    def decode(self, pairs):
        return []


def backend(folder: Path) -> PairwiseBackend:
    weights = write_pth(folder / "tiny.pth", tiny_network())
    return make_mast3r(0, BackendOptions(weights=weights, device="cpu", batch=2))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("ignore")  # those of another project's packages
@pytest.mark.parametrize("killed", [False, True])
def test_two_workers_leave_the_bytes_of_one_process_even_if_one_is_killed(
    tmp_path: Path, killed: bool
) -> None:
    made, views = backend(tmp_path), photos(tmp_path)
    made.predict(views, None, PredictionStore(tmp_path / "one"), silent)
    mortal = Mortal(made.open_model, tmp_path / "killed")
    shared = replace(made, engine=in_ray(workers=WORKERS), open_model=mortal if killed else made.open_model)
    found = shared.predict(views, None, PredictionStore(tmp_path / "two"), silent)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert (tmp_path / "killed").exists() == killed
    assert found.load(0).matches is not None


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("ignore")
def test_what_a_worker_refuses_is_said_as_in_one_process(tmp_path: Path) -> None:
    made = replace(backend(tmp_path), engine=in_ray(workers=1), open_model=Refusing)
    with pytest.raises(UserError, match=r"^\d\.png: too dark\.$"):
        made.predict(photos(tmp_path), None, PredictionStore(tmp_path / "store"), silent)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pointloom\[distributed\]"):
        engine_named("ray", "cpu")


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="process, ray"):
        engine_named("magic", "cpu")
