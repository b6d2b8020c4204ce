import pytest

from core.errors import ResultsMissing, SchemaMismatch
from store.results.folder import JobFolder
from tests.store.results.conftest import MANIFEST


def test_a_damaged_manifest_is_named(folder: JobFolder) -> None:
    folder.write_manifest(MANIFEST)
    path = folder.path / "manifest.json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ResultsMissing, match=r"manifest\.json is damaged"):
        folder.read_manifest()
    folder.write_manifest(MANIFEST)
    assert folder.read_manifest() == MANIFEST


def test_a_plan_of_a_newer_release_is_refused_by_name(folder: JobFolder) -> None:
    folder.write_manifest(MANIFEST.model_copy(update={"schema_version": 9}))
    with pytest.raises(SchemaMismatch, match=r"manifest\.json is of version 9 of manifest, this release reads up to 1"):
        folder.read_manifest()
    path = folder.path / "manifest.json"
    path.write_text(MANIFEST.model_dump_json().replace('"version":', '"version":7'))
    with pytest.raises(ResultsMissing, match=r"manifest\.json cannot be read: spec: version 7\d of a specification"):
        folder.read_manifest()
