"""Predictions on a Ray cluster: every worker holds a model, takes what is next, and writes into the same
store.

The store, the photos and the weights must lie under the same paths on all machines. A worker that dies is
started again and repeats what it was at; nothing that is in the store is lost.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import torch

from masks.errors import MissingExtraError
from masks.notice import Notice
from masks.progress import Progress
from pairs.backends.jobs import PairJob, PairWorker
from pairs.engines.engines import Engine, Todo, pairs_done
from pairs.prediction.store import PredictionStore


def in_ray(device: str = "cpu", workers: int | None = None) -> Engine:
    """Return the engine with so many workers, each with one accelerator where `device` is one; without a
    number: as many as the cluster has room for.

    The cluster is the running one, that of the environment variable RAY_ADDRESS, or one of this machine that
    lives as long as the work. Raises `MissingExtraError` without the package ray.
    """
    _ray()
    return functools.partial(_run, device != "cpu", workers)


def _ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "--engine ray: the package ray is not installed. Run 'pip install pointloom[distributed]'."
        ) from error
    return ray


def _run(
    accelerated: bool, workers: int | None, job: PairJob, todo: Todo, progress: Progress
) -> tuple[Notice, ...]:
    if not todo.encode and not todo.predict:
        return ()
    ray = _ray()
    own = not ray.is_initialized()
    progress("starting workers", 0, 1)
    if own:
        # Its processes write to the terminal whatever the program's own logging says.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        # Ray puts the user's current folder first among the places of its workers' modules: a `cv2.py` there
        # would be executed. It does not where a working folder is given.
        with tempfile.TemporaryDirectory() as empty:
            ray.init(
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
                runtime_env={"working_dir": empty},
            )
    # Held here until the end: a worker that is started again reads it again.
    shared = ray.put(_anywhere(job))
    try:
        return _by_workers(ray, _workers(ray, accelerated, workers, shared), todo, progress)
    finally:
        if own:
            ray.shutdown()


def _workers(ray: ModuleType, accelerated: bool, workers: int | None, shared: Any) -> list[Any]:
    """Return workers with as many threads each as this process has: sums of another number of threads are
    rounded otherwise.
    """
    threads = torch.get_num_threads()
    room = ray.cluster_resources()
    count = workers or int(room.get("GPU", 0) if accelerated else room.get("CPU", 1) // threads)
    needs = {"num_cpus": threads, "num_gpus": int(accelerated), "max_restarts": -1, "max_task_retries": -1}
    worker = ray.remote(**needs)(_ThreadedWorker)
    return [worker.remote(shared, threads) for _ in range(max(1, count))]


def _by_workers(ray: ModuleType, workers: list[Any], todo: Todo, progress: Progress) -> tuple[Notice, ...]:
    from ray.util import ActorPool

    pool = ActorPool(workers)
    notices: dict[Sequence[int], tuple[Notice, ...]] = {}
    try:
        for k, _ in enumerate(
            pool.map_unordered(lambda worker, view: worker.encode.remote(view), todo.encode)
        ):
            progress("encoding photos", k + 1, len(todo.encode))
        for k, (batch, said) in enumerate(
            pool.map_unordered(lambda worker, batch: worker.tell.remote(batch), todo.predict)
        ):
            notices[batch] = said
            progress("predicting pairs", *pairs_done(todo.predict, k))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    finally:
        for worker in workers:
            ray.kill(worker)
    return tuple(notice for batch in todo.predict for notice in notices[batch])


class _ThreadedWorker(PairWorker):
    """A worker in a process of its own."""

    def __init__(self, job: PairJob, threads: int) -> None:
        torch.set_num_threads(threads)
        super().__init__(job)

    def tell(self, batch: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[Notice, ...]]:
        """Predict a batch, and return it with what has to be reported."""
        return batch, self.predict(batch)


def _anywhere(job: PairJob) -> PairJob:
    """Return the job with paths that do not depend on the folder that a process was started in."""
    views = tuple(
        replace(view, path=view.path.absolute()) if view.path is not None else view for view in job.views
    )
    return replace(job, views=views, store=PredictionStore(job.store.folder.absolute()))
