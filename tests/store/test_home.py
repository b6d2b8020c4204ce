from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import Misconfigured
from core.settings import Settings
from store.home import belong_together
from store.objects.disk import DISK
from store.workspace import Workspace


def test_a_database_is_of_the_results_that_it_was_first_opened_with(engine: sa.Engine, tmp_path: Path) -> None:
    for _ in range(2):
        belong_together(engine, DISK, tmp_path / "results")
    for again in range(2):
        with pytest.raises(Misconfigured) as refused:
            belong_together(engine, DISK, tmp_path / "elsewhere")
        assert f"those of this service lie in {tmp_path}/elsewhere" in refused.value.message, again
    assert f"is that of the results in {tmp_path}/results" in refused.value.message


def test_results_that_have_moved_or_were_restored_stay_those_of_their_database(
    engine: sa.Engine, tmp_path: Path
) -> None:
    belong_together(engine, DISK, tmp_path / "results")
    (tmp_path / "results").rename(tmp_path / "moved")
    belong_together(engine, DISK, tmp_path / "moved")


def test_what_the_refusal_says_is_its_remedy(engine: sa.Engine, tmp_path: Path) -> None:
    belong_together(engine, DISK, tmp_path / "results")
    with pytest.raises(Misconfigured) as refused:
        belong_together(engine, DISK, tmp_path / "restored")
    words = refused.value.message.split()
    folder = tmp_path / "restored"
    folder.mkdir(exist_ok=True)
    (folder / ".id").write_text(words[words.index("write") + 1])
    belong_together(engine, DISK, folder)


def test_a_home_that_has_lost_its_results_keeps_its_own_database(tmp_path: Path) -> None:
    home = Settings(home=tmp_path / "home")
    Workspace.open(home, migrating=True).close()
    before = (home.home / "results" / ".id").read_text()
    (home.home / "results" / ".id").unlink()
    Workspace.open(home).close()
    assert (home.home / "results" / ".id").read_text() == before


def test_another_home_on_the_database_of_this_one_is_refused_by_the_name_of_the_setting(tmp_path: Path) -> None:
    home = Settings(home=tmp_path / "home")
    Workspace.open(home, migrating=True).close()
    other = Settings(home=tmp_path / "other", database_url=home.jobs_url)
    with pytest.raises(Misconfigured, match=r"ASSAY_DATABASE_URL .* results in .*/home/results,"):
        Workspace.open(other)
    assert not (tmp_path / "other" / "results" / ".id").exists()
