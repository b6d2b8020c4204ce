from pathlib import Path

import pytest

from core.errors import Superseded
from store.objects.disk import DISK
from store.results.folder import JobFolder
from store.results.publisher import Publisher
from store.results.schemas import SCHEMAS, tables
from tests.store.results.conftest import MANIFEST, SCORES, SHARD


def test_rows_that_are_written_once_and_those_that_may_be_again_are_whole_in_their_places(tmp_path: Path) -> None:
    publisher = Publisher(DISK)
    for path, write in ((tmp_path / "once", publisher.publish_rows), (tmp_path / "again", publisher.put_rows)):
        write(path, tables("scores", SCORES), SCHEMAS["scores"])
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_fence_keeps_out_all_that_an_engine_writes_from_then_on(folder: JobFolder) -> None:
    def fence() -> None:
        raise Superseded("another engine has taken the job over")

    folder.finish_judge(SHARD, SCORES, [])
    folder.publisher.fence_off(fence)
    for write in (
        lambda: folder.finish_generate(SHARD, [], []),
        lambda: folder.write_summaries([]),
        lambda: folder.write_manifest(MANIFEST),
        lambda: folder.write_samples(SHARD, ["{}", "{}"]),
    ):
        with pytest.raises(Superseded):
            write()
    found = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()}
    assert found == {"calls/judge-00003.parquet", "scores/00003.parquet"}
