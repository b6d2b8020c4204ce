import pytest

from core.errors import ResultsMissing
from store.results.checks import check_readable, check_shard, extents
from store.results.folder import JobFolder
from tests.store.results.conftest import CALLS, OUTPUTS, SCORES, SHARD


@pytest.mark.parametrize("kind", ["samples", "calls", "outputs", "scores"])
def test_a_file_of_a_shard_that_is_not_as_it_was_written_is_named_below_the_home(folder: JobFolder, kind: str) -> None:
    folder.write_samples(SHARD, ['{"q": 1}', '{"q": 2}'])
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    check_shard(folder, SHARD)
    folder.finish_judge(SHARD, SCORES, [])
    check_shard(folder, SHARD)
    file = min((folder.path / kind).iterdir())
    whole = file.read_bytes()
    for place in (5, len(whole) // 2, len(whole) - 12):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ResultsMissing, match=f"^results/job_id=job-1/{kind}/{file.name} is damaged"):
            check_shard(folder, SHARD)
    file.write_bytes(b"")
    with pytest.raises(ResultsMissing, match="is damaged"):
        check_shard(folder, SHARD)


def test_the_files_of_a_shard_tell_the_first_and_the_last_sample_they_have_rows_of(folder: JobFolder) -> None:
    folder.write_samples(SHARD, ['{"q": 1}', '{"q": 2}'])
    folder.finish_generate(SHARD, OUTPUTS[1:], CALLS[:1])
    assert [(file.parent.name, samples) for file, samples in extents(folder, SHARD)] == [
        ("samples", range(50, 52)),
        ("outputs", range(51, 52)),
        ("calls", range(50, 51)),
    ]


@pytest.mark.parametrize("whole", [True, False])
def test_what_cannot_be_read_is_told_before_anything_is_sent_however_large_it_is(
    folder: JobFolder, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not whole:
        monkeypatch.setattr("store.results.checks.CHECKED_BYTES", 0)
    check_readable(folder)
    folder.finish_judge(SHARD, SCORES, CALLS)
    check_readable(folder)
    file = folder.file("scores", SHARD.index)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ResultsMissing, match=r"^results/job_id=job-1/scores/00003\.parquet is damaged"):
        check_readable(folder)
