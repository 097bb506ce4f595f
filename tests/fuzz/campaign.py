"""Mutated files to one reader, in a process of its own that is watched: what it raises, how long it takes,
how much memory, and whether it starts a program.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
import traceback
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import torch
from mutations import mutated
from readers import READERS

from masks.errors import PointloomError

MOST_SECONDS = 10.0
"""Of processor time for one file."""
MOST_BYTES = 1 << 30
"""Of memory for one file, beyond what the process had."""
_ROOM = 6 << 30
"""Address space beyond what the process had, so that a leak of this test stops nothing else."""
_MOST_FAILURES = 5
# Events of the interpreter when a program is started, or a connection made.
_FORBIDDEN = (
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.system",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
_FORBIDDEN += ("socket.connect", "socket.bind", "os.startfile")


@dataclass
class Tally:
    """What came of a campaign."""

    reader: str
    tried: int = 0
    clean: int = 0
    """Refused by an error of ours."""
    accepted: int = 0
    failures: list[str] = field(default_factory=list)
    """What must not be, with the number of the file."""


def run(reader: str, seed: int, count: int, folder: Path) -> None:
    """Try `count` mutated files; leave the tally in `tally.json`, and the number of the file that is read in
    `number`, for the case that the process does not come back.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    logging.disable()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    root = folder / "files"
    root.mkdir()
    files = [(path, path.read_bytes()) for path in READERS[reader].prepare(root)]
    READERS[reader].read(root, files[0][0])  # whatever is imported late, or made once, is there now
    started = _watched_programs()
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + _ROOM, resource.RLIM_INFINITY))
    tally = Tally(reader)
    number = os.open(folder / "number", os.O_CREAT | os.O_WRONLY)
    for index in range(count):
        os.pwrite(number, b"%020d" % index, 0)
        rng = Random(f"{seed} {reader} {index}")
        path, content = rng.choice(files)
        path.write_bytes(mutated(path.name, content, rng))
        said = _try(reader, root, path, tally)
        if started:
            said = f"starts {started.pop()}"
        if said:
            kept = folder / f"{index}-{path.name}"
            kept.write_bytes(path.read_bytes() if path.exists() else b"")
            tally.failures.append(f"file {index} (seed {seed}), kept as {kept}: {said}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if len(tally.failures) == _MOST_FAILURES:
            break
    (folder / "tally.json").write_text(json.dumps(asdict(tally)))


def _try(reader: str, root: Path, path: Path, tally: Tally) -> str | None:
    """Return what the reader did that it must not."""
    before = _memory_from_here()
    # The default answer to this signal ends the process, also one that is in a loop of a library's.
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    tally.tried += 1
    try:
        READERS[reader].read(root, path)
        tally.accepted += 1
    except PointloomError as error:
        tally.clean += 1
        if len(str(error)) > 10_000:
            return f"a message of {len(str(error))} characters"
    except BaseException:  # noqa: BLE001 - panics of a Rust library are no Exceptions
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    taken = _status("VmHWM") - before
    return f"takes {taken >> 20} MB" if taken > MOST_BYTES else None


def _watched_programs() -> list[str]:
    started: list[str] = []
    sys.addaudithook(lambda event, _arguments: started.append(event) if event in _FORBIDDEN else None)
    return started


def _memory_from_here() -> int:
    """Return the memory in use in bytes; the peak counts from now on."""
    if sys.platform != "linux":
        return 0
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    """Return a figure of this process in bytes; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.partition(f"{name}:")[2].split()[0])
