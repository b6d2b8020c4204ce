from pathlib import Path

import pytest

from store.files.drafts import PATTERN, Content, Draft

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The sha256 of nothing (FIPS 180-4)."""


def test_a_draft_goes_unless_it_was_moved(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    with Draft(folder) as draft:
        draft.write(b"kept")
        draft.finish()
        draft.path.replace(folder / "elsewhere")
    with Draft(folder) as draft:
        draft.write(b"dropped")
        assert len(list(folder.glob(PATTERN))) == 1
    assert [path.name for path in folder.iterdir()] == ["elsewhere"]
    assert (folder / "elsewhere").read_bytes() == b"kept"


def test_a_draft_goes_when_something_fails(tmp_path: Path) -> None:
    def write(draft: Draft) -> None:
        with draft:
            draft.write(b"begun")
            raise ConnectionError

    draft = Draft(tmp_path)
    with pytest.raises(ConnectionError):
        write(draft)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        draft.write(b"more")


@pytest.mark.parametrize(
    ("chunks", "size", "lines"),
    [
        ((), 0, 0),
        ((b"",), 0, 0),
        ((b"a",), 1, 1),
        ((b"a\n", b""), 2, 1),
        ((b"a\n", b"b"), 3, 2),
        ((b"\n", b"\n"), 2, 2),
    ],
)
def test_a_draft_is_measured_as_it_is_written(tmp_path: Path, chunks: tuple[bytes, ...], size: int, lines: int) -> None:
    with Draft(tmp_path) as draft:
        for chunk in chunks:
            draft.write(chunk)
        content = draft.finish()
    assert (content.bytes, content.line_count) == (size, lines)
    assert (content == Content(0, 0, EMPTY)) is (size == 0)
