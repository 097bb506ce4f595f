"""Memory that ran out is told from faults."""

from __future__ import annotations

import errno

import cv2
import numpy as np
import pytest
import torch

from masks.memory import is_out_of_memory


def test_what_torch_raises_for_want_of_memory_is_known() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 50)
    assert is_out_of_memory(refused.value)
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory"))
    for said in (
        "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling",
    ):
        assert is_out_of_memory(RuntimeError(said))
    assert not is_out_of_memory(RuntimeError("shapes differ"))


def test_what_numpy_and_opencv_raise_for_want_of_memory_is_known() -> None:
    with pytest.raises(MemoryError) as refused:
        np.empty(1 << 50, np.uint8)
    assert is_out_of_memory(refused.value)
    one = np.broadcast_to(np.zeros((1, 1), np.uint8), (1 << 20, 1 << 20))
    with pytest.raises(cv2.error) as told:
        cv2.resize(one[:1, :1], (1 << 21, 1 << 21))
    assert is_out_of_memory(told.value)
    assert not is_out_of_memory(cv2.error("empty input"))


def test_what_the_system_says_for_want_of_memory_is_known() -> None:
    assert is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert is_out_of_memory(ImportError("x.so: failed to map segment from shared object"))
    assert not is_out_of_memory(OSError(errno.ENOSPC, "No space left on device"))
