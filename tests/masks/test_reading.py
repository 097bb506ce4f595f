"""Errors of readers name the file, the reason and the remedy, and nothing in them is long."""

from __future__ import annotations

from pathlib import Path

import pytest

from masks.errors import FormatError, GraphError, ImageError
from masks.reading import read_array_file, read_json, reading, reason, shown


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError("odd"), r"x\.bin: is damaged \(odd\)\. Mend it\."),
        (KeyError("depth"), r"is damaged \('depth' is missing\)"),
        (AssertionError(), r"is damaged \(AssertionError\)"),
        (NotImplementedError("mode 7"), r"is damaged \(NotImplementedError: mode 7\)"),
        (OSError("broken data stream"), r"is damaged \(broken data stream\)"),
        (FileNotFoundError(2, "No such file"), r"x\.bin: cannot be read \(No such file\)\. Mend it\."),
        (MemoryError(), r"x\.bin: there is not enough memory .* smaller one"),
        (RecursionError("deep"), "is damaged"),
    ],
)
def test_whatever_is_raised_names_the_file_and_the_remedy(raised: Exception, said: str) -> None:
    with pytest.raises(FormatError, match=said), reading(Path("x.bin"), "Mend it."):
        raise raised


def test_the_kind_is_chosen_and_our_own_errors_pass() -> None:
    with pytest.raises(GraphError, match="is no list"), reading("x", "Mend it.", "is no list", GraphError):
        raise ValueError
    with pytest.raises(ImageError, match="own"), reading("x", "Mend it."):
        raise ImageError("own")
    with pytest.raises(KeyboardInterrupt), reading("x", "Mend it."):
        raise KeyboardInterrupt


def test_a_reason_is_one_short_line() -> None:
    said = reason(ValueError("a\nb\x1b]0;title\x07" + "c" * 10_000))
    assert said.startswith("a b?]0;title?ccc")
    assert len(said) < 200


def test_what_a_file_holds_is_shown_short() -> None:
    nested: list = []
    for _ in range(50):
        nested = [nested, nested]
    assert shown(nested) == "a list"
    assert shown({"a": nested}) == "an object"
    assert shown(10**5000) == "a number of too many digits"
    assert shown("a\0" + "b" * 500) == repr("a\0" + "b" * 58 + "...")
    assert [shown(value) for value in (None, True, 3, 0.5)] == ["None", "True", "3", "0.5"]


@pytest.mark.parametrize("text", ["{", "[" * 1000, "\xff", '{"a": }'])
def test_what_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(FormatError, match=r"a\.json: is not JSON .* Mend it"):
        read_json(path, "Mend it.")


def test_numbers_of_any_length_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(f"[1, -2, {'9' * 5000}, 1e999]")
    assert read_json(path, "") == [1, -2, float("inf"), float("inf")]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(path, "") == [1]


def test_damaged_arrays_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0notjson!")
    with pytest.raises(FormatError, match=r"a\.safetensors: is damaged .* Write it again"):
        read_array_file(tmp_path / "a.safetensors", "Write it again.")
