"""The store of a backend on every engine, whatever happens to a worker: the bytes of one process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from masked_photos import contents, photos
from textured_roof import before_backdrop, saved
from tiny_networks import tiny_network, write_pth

from masks.errors import SolverError, UserError
from masks.progress import silent
from pairs.backends.classical.backend import Classical
from pairs.backends.dust3r.backend import PairNetworkOptions, make_mast3r
from pairs.backends.pairwise import PairwiseBackend
from pairs.backends.registry import make_backend
from pairs.engines.engines import Engine, Workers, engine_named
from pairs.engines.processes import Processes
from pairs.engines.ray_engine import Ray
from pairs.prediction.store import PredictionStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # those of Ray's packages
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of this machine with two workers' room."""
    ray = pytest.importorskip("ray", reason="ray is not installed (pip install pointloom[distributed])")
    # Workers cannot import a test module by its name.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def on_roof(engine: Engine, folder: Path, store: Path) -> None:
    """Predict photos with the embedded backend."""
    pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")
    views = saved(folder / f"photos of {store.name}", *before_backdrop(0))
    Classical(engine=engine).predict(views, None, PredictionStore(store), silent)


def with_network(engine: Engine, folder: Path, store: Path) -> None:
    """Predict photos with a tiny network, in batches."""
    network_backend(folder, engine).predict(photos(folder), None, PredictionStore(store), silent)


def network_backend(folder: Path, engine: Engine) -> PairwiseBackend:
    torch.manual_seed(0)
    weights = write_pth(folder / "tiny.pth", tiny_network())
    return replace(make_mast3r(PairNetworkOptions(weights=weights, device="cpu", batch=2)), engine=engine)


BACKENDS = [on_roof, with_network]
Predict = Callable[[Engine, Path, Path], None]


@pytest.fixture(scope="module", params=BACKENDS, ids=["classical", "mast3r"])
def predict(request: pytest.FixtureRequest) -> Predict:
    return request.param


@pytest.fixture(scope="module")
def expected(predict: Predict, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process leaves in the store."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("one process")
    predict(Processes(1), folder, folder / "store")
    found = contents(folder / "store")
    assert len(found) > 8
    return found


def test_many_processes_leave_the_bytes_of_one(
    predict: Predict, expected: dict[str, bytes], tmp_path: Path
) -> None:
    predict(Processes(3), tmp_path, tmp_path / "store")
    assert contents(tmp_path / "store") == expected


def test_a_killed_process_is_an_error_and_the_next_run_leaves_the_same_bytes(
    predict: Predict, expected: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(SolverError, match="ended unexpectedly"):
        predict(Mortal(Processes(2), tmp_path / "killed"), tmp_path, tmp_path / "store")
    assert (tmp_path / "killed").exists()
    (tmp_path / "again").mkdir()
    predict(Processes(2), tmp_path / "again", tmp_path / "store")
    assert contents(tmp_path / "store") == expected


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("killed", [False, True])
def test_two_workers_of_ray_leave_the_bytes_of_one_process_even_if_one_is_killed(
    predict: Predict, expected: dict[str, bytes], tmp_path: Path, killed: bool
) -> None:
    engine = Ray(workers=2)
    predict(Mortal(engine, tmp_path / "killed") if killed else engine, tmp_path, tmp_path / "store")
    assert contents(tmp_path / "store") == expected
    assert (tmp_path / "killed").exists() == killed


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("name", ["process", "ray"])
def test_what_a_worker_refuses_is_said_as_in_one_process(tmp_path: Path, name: str) -> None:
    made = network_backend(tmp_path, engine_named(name, Processes(2), lambda: Ray(workers=1)))
    with pytest.raises(UserError) as raised:
        replace(made, open_model=Refusing).predict(
            photos(tmp_path), None, PredictionStore(tmp_path / "store"), silent
        )
    assert str(raised.value)[1:] == ".png: too dark."


def test_the_embedded_backend_takes_an_engine_and_no_weights() -> None:
    pytest.importorskip("ray", reason="ray is not installed (pip install pointloom[distributed])")
    made = make_backend("classical", engine="ray")
    assert isinstance(made, Classical)
    assert made.engine == Ray()
    with pytest.raises(UserError, match=r"`weights=x\.pth`: means nothing to the backend classical"):
        make_backend("classical", engine="ray", weights="x.pth")


class Refusing:
    """A model that cannot look at anything."""

    def encode(self, view: Any) -> Any:
        raise UserError(f"{view.name}: too dark.")

    def decode(self, pairs: Any) -> Any:
        return []


@dataclass(frozen=True)
class Mortal:
    """An engine one of whose workers is killed at its second task, once."""

    engine: Engine
    witness: Path

    @contextmanager
    def start(self) -> Iterator[Workers]:
        with self.engine.start() as workers:
            yield MortalWorkers(workers, self.witness)


@dataclass(frozen=True)
class MortalWorkers:
    workers: Workers
    witness: Path

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        return self.workers.map(Killing(function, self.witness), tasks)

    def apart(self, function: Callable[[Any], Any], task: Any) -> Any:
        return self.workers.apart(function, task)


class Killing:
    """Does what a function does, and kills its process at the second task."""

    def __init__(self, function: Callable[[Any], Any], witness: Path) -> None:
        self.function, self.witness, self.calls = function, witness, 0

    def __call__(self, task: Any) -> Any:
        self.calls += 1
        if self.calls == 2 and not self.witness.exists():
            self.witness.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.function(task)
