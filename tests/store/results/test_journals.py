from store.results.folder import JobFolder
from store.results.journal import Place
from tests.store.results.conftest import CALLS, SHARD


def test_a_journal_lies_in_the_folder_of_its_job_under_the_stage_and_the_number_of_its_shard(folder: JobFolder) -> None:
    assert folder.journals.path("judge", SHARD) == folder.path / "journal" / "judge-00003.journal"


def test_a_journal_is_there_from_its_first_call_until_it_is_deleted(folder: JobFolder) -> None:
    path = folder.journals.path("judge", SHARD)
    assert (folder.journals.paths(), folder.journals.count(path), list(folder.journals.recorded(path))) == ([], 0, [])
    with folder.journals.open("judge", SHARD) as journal:
        places = journal.append(*CALLS)
    assert folder.journals.exists("judge", SHARD)
    assert not folder.journals.exists("generate", SHARD)
    assert folder.journals.paths() == [path]
    assert folder.journals.count(path) == 2
    assert list(folder.journals.recorded(path)) == list(zip(places, CALLS, strict=True))
    folder.journals.delete("judge", SHARD)
    assert not folder.journals.exists("judge", SHARD)
    folder.journals.delete("judge", SHARD)


def test_of_what_is_written_aside_nothing_is_left(folder: JobFolder) -> None:
    with folder.journals.open_aside("judge", SHARD) as aside:
        (place,) = aside.append(CALLS[0])
        assert isinstance(place, Place)
        assert aside.read(place) == CALLS[0]
    assert folder.journals.paths() == []
    assert not list(folder.path.rglob("*.journal*"))


def test_what_is_damaged_in_a_journal_is_told_unless_its_shard_was_finished_just_now(folder: JobFolder) -> None:
    path = folder.journals.path("generate", SHARD)
    assert folder.journals.damage(path) is None
    with folder.journals.open("generate", SHARD) as journal:
        journal.append(*CALLS)
    assert folder.journals.damage(path) is None
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    assert folder.journals.damage(path) == "record 1 is damaged"
    assert folder.journals.read(path).damaged == 1
