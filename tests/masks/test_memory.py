"""Memory that ran out is told from faults."""

from __future__ import annotations

import errno
import platform
import subprocess
import sys

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


_FAULTS = """
import resource, sys
import numpy as np
from masks.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for repeat in range(50):
    if repeat == 10:
        before = used()
    [np.ones(1 << 17) for _ in range(8)]
print(used() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other ways")
def test_memory_that_was_freed_is_not_asked_for_again() -> None:
    def faults(how: str) -> int:
        command = [sys.executable, "-c", _FAULTS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    # 40 times 8 MB are 81920 pages.
    assert faults("given back") > 10000
    assert faults("kept") < 1000


_RESIDENT = """
import sys
import numpy as np
from pathlib import Path
from masks.memory import give_back_freed_memory, keep_freed_memory
keep_freed_memory()
held = [(np.ones(1 << 17), np.ones(1 << 10)) for _ in range(50)]
held = [small for _, small in held]
if sys.argv[1] == "given back":
    give_back_freed_memory()
print(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has other ways")
def test_freed_memory_between_arrays_that_stay_is_given_back() -> None:
    def resident(how: str) -> int:
        command = [sys.executable, "-c", _RESIDENT, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    # 50 times 1 MB.
    assert resident("kept") - resident("given back") > 30 << 20
