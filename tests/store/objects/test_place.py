from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from core.errors import Misconfigured
from core.settings import Settings
from store.objects.bucket import Bucket
from store.objects.disk import DISK
from store.objects.place import open_objects

URL = "s3://evaluations/assay"


def test_without_the_setting_results_lie_in_the_home(tmp_path: Path) -> None:
    assert open_objects(Settings(home=tmp_path)) is DISK


def test_a_bucket_needs_a_key_that_all_processes_are_given(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="ASSAY_SECRET_KEY must be set"):
        open_objects(Settings(home=tmp_path, store=URL))


def test_an_object_is_called_by_its_bucket_and_its_path_below_the_home(tmp_path: Path) -> None:
    objects = open_objects(Settings(home=tmp_path, store=f"{URL}/", secret_key=SecretStr("k")))
    assert isinstance(objects, Bucket)
    assert objects.name(tmp_path / "results" / "x") == "evaluations/assay/results/x"


@pytest.mark.parametrize("url", ["evaluations", "gs://evaluations", "s3://", "s3://key:secret@evaluations", "s3://a b"])
def test_what_names_no_bucket_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError, match="store"):
        Settings(home=tmp_path, store=url)
