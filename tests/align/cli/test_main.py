"""What ends a command without being its answer."""

from __future__ import annotations

import signal

import cv2
import pytest

from align.cli.commands.info import Info
from align.cli.main import main


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
        cv2.error("OpenCV(4.10.0) (-4:Insufficient memory) Failed to allocate 8 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_runs_out_is_a_message_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def short(self: Info) -> None:
        raise error

    monkeypatch.setattr(Info, "run", short)
    assert main(["info"]) == 2
    said = capsys.readouterr().err
    assert "the memory does not suffice" in said
    assert "--longest 384" in said


def test_other_faults_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Info) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Info, "run", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        main(["info"])


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM", "SIGUSR1", "SIGXCPU"])
def test_a_signal_is_answered_as_an_interruption_and_its_repetition_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    cleared = []

    def interrupted(self: Info) -> None:
        try:
            signal.raise_signal(getattr(signal, name))
        finally:
            signal.raise_signal(getattr(signal, name))
            signal.raise_signal(signal.SIGTERM)
            cleared.append(True)

    endings = [getattr(signal, each) for each in ("SIGHUP", "SIGTERM", "SIGUSR1", "SIGXCPU")]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in endings}
    monkeypatch.setattr(Info, "run", interrupted)
    try:
        assert main(["info"]) == 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert cleared == [True]
    assert "run the same command again" in capsys.readouterr().err
