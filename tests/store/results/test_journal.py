import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StorageFailed, StorageFull
from core.result import Call, CallKey, Usage
from store.results.journal import Journal, damage, parse_journal, read_journal, recorded, render_call

INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.floats(allow_nan=False, allow_infinity=False)


def calls(text: st.SearchStrategy[str]) -> st.SearchStrategy[Call]:
    key = st.builds(CallKey, text, INT64, text, INT64, st.sampled_from(["target", "judge"]), text, INT64)
    maybe = st.none() | INT64
    return st.builds(
        Call,
        key=key,
        outcome=st.sampled_from(["answered", "refused", "error"]),
        request=text,
        response=st.none() | text,
        status=maybe,
        error=st.none() | text,
        usage=st.builds(Usage, maybe, maybe, maybe),
        started_at=TIMES,
        seconds=TIMES,
        attempts=INT64,
    )


def call(sample: int, response: str = '{"a": "x"}') -> Call:
    key = CallKey("qa", sample, "target", 0, "target", "", 0)
    return Call(key, "answered", '{"q":\t"\\n"}', response, 200, None, Usage(1, None, 2), 1.5, 0.25, 1)


THREE = [call(0), call(1, "line\nbreak\r\0 \u2028 é 🎈"), call(2)]
THREE_LINES = b"".join(map(render_call, THREE))
NEWLINE = b"\n"


@given(st.lists(calls(st.text()), max_size=4))
def test_what_is_rendered_is_read_back(some: list[Call]) -> None:
    data = b"".join(map(render_call, some))
    assert parse_journal(data) == (some, 0)
    assert data.count(b"\n") == len(some)


@given(st.text(st.characters()))
def test_only_lone_surrogates_are_replaced(text: str) -> None:
    read = parse_journal(render_call(call(0, text))).calls[0].response
    assert read is not None
    assert read == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_a_lone_surrogate_becomes_a_replacement_character_and_a_pair_one_character() -> None:
    assert parse_journal(render_call(call(0, "a\ud800b"))).calls[0].response == "a\ufffdb"
    assert parse_journal(render_call(call(0, "\ud83d\ude00"))).calls[0].response == "😀"


@given(st.integers(0, len(THREE_LINES) - 1), st.integers(1, 255))
def test_a_byte_that_changed_never_yields_a_changed_call(at: int, change: int) -> None:
    data = bytearray(THREE_LINES)
    data[at] ^= change
    read = parse_journal(bytes(data)).calls
    assert len(read) < 3
    assert all(one in THREE for one in read)


def test_a_journal_cut_anywhere_holds_the_calls_before_the_cut() -> None:
    ends = [sum(len(render_call(one)) for one in THREE[:n]) for n in range(4)]
    for cut in range(len(THREE_LINES) + 1):
        whole = sum(end <= cut for end in ends[1:])
        assert parse_journal(THREE_LINES[:cut]) == (THREE[:whole], 0)


def test_any_flipped_bit_is_damage_that_is_named_by_its_record() -> None:
    ends = [sum(len(render_call(one)) for one in THREE[:n]) for n in (1, 2, 3)]
    assert damage(THREE_LINES, may_be_torn=False) is None
    for at in range(8 * len(THREE_LINES)):
        data = bytearray(THREE_LINES)
        data[at // 8] ^= 1 << at % 8
        record = 1 + sum(end <= at // 8 for end in ends)
        assert damage(bytes(data), may_be_torn=True) == f"record {record} is damaged"


def test_a_cut_is_damage_only_where_a_journal_may_not_be_torn() -> None:
    for cut in range(len(THREE_LINES) + 1):
        data = THREE_LINES[:cut]
        assert damage(data, may_be_torn=True) is None
        torn = f"record {data.count(NEWLINE) + 1} is torn"
        assert damage(data, may_be_torn=False) == (torn if data and not data.endswith(NEWLINE) else None)


def test_a_journal_cut_anywhere_is_continued_after_its_last_whole_call(tmp_path: Path) -> None:
    path = tmp_path / "j"
    for cut in range(0, len(THREE_LINES), 9):
        path.write_bytes(THREE_LINES[:cut])
        before = read_journal(path).calls
        with Journal(path) as journal:
            journal.append(call(9))
        assert read_journal(path) == ([*before, call(9)], 0)


def test_zeros_at_the_end_as_a_lost_machine_leaves_them_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(THREE_LINES + bytes(5000))
    assert read_journal(path) == (THREE, 0)
    Journal(path).close()
    assert path.read_bytes() == THREE_LINES


def test_a_damaged_call_in_the_midst_is_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(THREE_LINES.replace(b"break", b"broke"))
    assert read_journal(path) == ([THREE[0], THREE[2]], 1)
    Journal(path).close()
    assert read_journal(path).damaged == 1


def test_a_damaged_last_call_is_dropped_and_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(THREE_LINES[:-5] + b"!" + THREE_LINES[-4:])
    assert read_journal(path) == (THREE[:2], 0)
    Journal(path).close()
    assert path.read_bytes() == b"".join(map(render_call, THREE[:2]))


def test_a_missing_or_empty_journal_holds_no_calls(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "generate-00000.journal"
    assert read_journal(path) == ([], 0)
    Journal(path).close()
    assert path.exists()
    assert read_journal(path) == ([], 0)


def test_repeated_calls_stay_in_the_order_of_writing(tmp_path: Path) -> None:
    again = replace(call(0), outcome="error", error="too late")
    with Journal(tmp_path / "j") as journal:
        for one in (call(0), call(1), again):
            journal.append(one)
            journal.sync()
    assert read_journal(tmp_path / "j").calls == [call(0), call(1), again]
    assert read_journal(tmp_path / "j").damaged == 0


def test_calls_of_one_write_are_read_back_one_by_one_from_where_they_stand(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        places = [*journal.append(call(0)), *journal.append(call(1, "é"), call(2))]
        assert [journal.read(place) for place in reversed(places)] == [call(2), call(1, "é"), call(0)]
        assert journal.append() == []
    assert list(recorded(tmp_path / "j")) == list(zip(places, [call(0), call(1, "é"), call(2)], strict=True))


def test_a_call_that_is_not_there_as_it_was_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as journal:
        (place,) = journal.append(call(0, "break"))
        path.write_bytes(path.read_bytes().replace(b"break", b"broke"))
        with pytest.raises(StorageFailed, match=r"a record of .* is not as it was written"):
            journal.read(place)


def test_of_calls_in_one_write_that_is_cut_short_none_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "j"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path) as journal:
        journal.append(call(0))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + len(render_call(call(1))) + 9, limits[1]))
            with pytest.raises(StorageFailed):
                journal.append(call(1), call(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        places = journal.append(call(1), call(2))
        assert [journal.read(place) for place in places] == [call(1), call(2)]
    assert read_journal(path) == ([call(0), call(1), call(2)], 0)


def test_a_write_cut_short_leaves_no_half_call_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "j"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path) as journal:
        journal.append(call(0))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 30, limits[1]))
            with pytest.raises(StorageFailed, match="j was not written: File too large"):
                journal.append(call(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == render_call(call(0))
        journal.append(call(2))
    assert read_journal(path) == ([call(0), call(2)], 0)


def test_half_a_record_that_cannot_be_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.append(call(0))
        with path.open("ab") as half:
            half.write(render_call(call(1))[:40])
        journal._is_torn = True  # as after a write and a truncation that both failed
        whole, journal._descriptor = journal._descriptor, os.open(path, os.O_RDONLY)
        with pytest.raises(StorageFailed):  # neither works yet
            journal.append(call(2))
        os.close(journal._descriptor)
        journal._descriptor = whole
        (place,) = journal.append(call(2))
        assert journal.read(place) == call(2)
        journal.append(call(3))
    assert [each.key.sample for each in read_journal(path).calls] == [0, 2, 3]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="the system has no /dev/full")
def test_a_full_disk_is_named() -> None:
    with Journal(Path("/dev/full")) as journal, pytest.raises(StorageFull, match="full was not written") as caught:
        journal.append(call(0))
    assert caught.value.blame == "service"


def test_a_closed_journal_takes_no_call(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.close()
    with (tmp_path / "other").open("w"), pytest.raises(StorageFailed, match="Bad file descriptor"):
        journal.append(call(0))
    assert (tmp_path / "other").read_bytes() == b""


WRITER = """
import sys
from pathlib import Path
from itertools import count
from core.result import Call, CallKey
from store.results.journal import Journal
journal = Journal(Path(sys.argv[1]))
for sample in count():
    journal.append(Call(CallKey("qa", sample, "target", 0, "target", "", 0), "answered", "x" * 3000))
    if sample == 200:
        print("written", flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_every_call_it_had_written(tmp_path: Path) -> None:
    path = tmp_path / "j"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    read = read_journal(path)
    assert read.damaged == 0
    assert [one.key.sample for one in read.calls] == list(range(len(read.calls)))
    assert len(read.calls) > 200
