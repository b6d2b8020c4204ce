"""What a home holds is for its owner alone, whatever the umask, and whoever made it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import Settings
from store.private import close_to_others
from store.workspace import Workspace

SOURCE = Path(__file__).parent.parent.parent

WRITING = """
import os, sys
from pathlib import Path
from core.plan import Shard
from core.settings import Settings
from store.results.journal import Journal
from store.results.log import JobLog
from store.workspace import Workspace
from tests.store.results.test_journal import call

os.umask(0)
workspace = Workspace.open(Settings(home=Path(sys.argv[1])), migrating=True)
workspace.files.save([b"a"], filename="a", purpose="eval", file_type="jsonl")
folder = workspace.folder("job-1")
with folder.lock.held():
    folder.write_samples(Shard(index=0, task="t", start=0, stop=1), ["{}"])
    JobLog(folder.log_path).write("a line")
    Journal(folder.path / "journal" / "generate-0.journal").append(call(0))
"""


def open_to_others(home: Path) -> set[str]:
    """Return what others may read or write below a home; what lies in a closed folder is closed to them."""
    found = set()
    for folder, folders, files in os.walk(home):
        here = [Path(folder, name) for name in (*folders, *files)]
        found |= {path.relative_to(home).as_posix() for path in here if path.stat().st_mode & 0o077}
        folders[:] = [name for name in folders if Path(folder, name).stat().st_mode & 0o077]
    return found


def files_below(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_nothing_that_is_written_is_open_to_others_with_any_umask(tmp_path: Path) -> None:
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-c", WRITING, str(home)], check=True, cwd=SOURCE)
    assert {path.suffix for path in files_below(home)} >= {".db", ".key", ".parquet", ".journal", ".jsonl"}
    assert not open_to_others(home)
    kept = files_below(home / "results") + files_below(home / "files")
    assert len(kept) >= 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """A home of an earlier release that others may read, in which its owner keeps other things."""
    for name in ("results/job_id=a/log.jsonl", "files/ab/abcd", "logs/api.log", "prefect/prefect.db", "own/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o664)
    for folder, *_ in os.walk(tmp_path):
        Path(folder).chmod(0o775)
    (tmp_path / "results" / "link").symlink_to(tmp_path / "own" / "notes.txt")
    (tmp_path / "serve.lock").touch(0o644)
    return tmp_path


def test_an_old_home_is_closed_when_it_is_opened_and_what_is_not_ours_left(loose: Path) -> None:
    Workspace.open(Settings(home=loose), migrating=True).close()
    assert open_to_others(loose) == {"own", "own/notes.txt"}
    assert stat.S_IMODE((loose / "results/job_id=a/log.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((loose / "results/job_id=a").stat().st_mode) == 0o700


def test_closing_that_was_cut_short_is_done_at_the_next_start(loose: Path) -> None:
    (loose / "results/job_id=a").chmod(0o700)
    close_to_others(loose)
    assert not {name for name in open_to_others(loose) if not name.startswith("own")}
    assert (loose / "results/job_id=a/log.jsonl").stat().st_mode & 0o777 == 0o600
