"""Telling memory that ran out from other failures."""

from __future__ import annotations

import errno

_WORDS = (
    "out of memory",  # torch on accelerators
    "DefaultCPUAllocator",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Insufficient memory",  # OpenCV
    "Cannot allocate memory",  # the loader of a library's parts
    "failed to map segment",
    "can't start new thread",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error is that of an accelerator's memory or of the machine's."""
    # Most libraries raise plain errors, which only their words tell from faults.
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or any(words in str(error) for words in _WORDS)
    )
