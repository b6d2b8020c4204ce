"""Uploads by the native API: each content once under a name."""

import hashlib
from typing import Any

import pytest

from core.job import random_id
from store.files.contents import FileRecord

FILES = "/api/assay/v1/files"


def uploaded(service: Any, name: str, content: bytes, **query: str) -> dict[str, Any]:
    response = service.http.post(FILES, params={"filename": name} | query, content=content)
    assert response.status_code == 201, response.text
    kept: dict[str, Any] = response.json()
    return kept


def test_a_content_is_kept_once_under_a_name(service: Any) -> None:
    name, content = f"{random_id('rows-')}.jsonl", b'{"a": 1}\n{"a": 2}'
    first = uploaded(service, f"folder/{name}", content)
    assert {key: first[key] for key in ("filename", "bytes", "line_count", "sha256")} == {
        "filename": name,
        "bytes": len(content),
        "line_count": 2,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    again = uploaded(service, name, content, sha256=first["sha256"].upper())
    assert again == first | {"created_at": again["created_at"]}
    other = uploaded(service, name, b"{}\n")
    listed = service.http.get(FILES, params={"filename": name}).json()["data"]
    assert [each["id"] for each in listed] == [other["id"], first["id"]]
    assert service.http.get(FILES, params={"filename": name, "sha256": first["sha256"]}).json()["data"] == [again]
    assert service.state.files.path(record := service.state.files.get(first["id"])).read_bytes() == content
    assert isinstance(record, FileRecord)


def test_an_upload_that_comes_again_or_is_renewed_is_the_newest(service: Any) -> None:
    name = f"{random_id('rows-')}.jsonl"
    first, other = uploaded(service, name, b"{}"), uploaded(service, name, b"[]")

    def newest() -> str:
        listed: list[dict[str, str]] = service.http.get(FILES, params={"filename": name, "limit": 1}).json()["data"]
        return listed[0]["id"]

    assert newest() == other["id"]
    uploaded(service, name, b"{}")
    assert newest() == first["id"]
    assert service.http.post(f"{FILES}/{other['id']}/renew").json()["id"] == newest() == other["id"]
    assert service.http.post(f"{FILES}/file-none/renew").status_code == 404


def test_an_upload_can_be_longer_than_other_bodies_and_is_deleted(service: Any) -> None:
    kept = uploaded(service, "long.jsonl", b" " * (service.state.settings.max_body + 1))
    assert service.http.delete(f"{FILES}/{kept['id']}").status_code == 204
    gone = service.http.delete(f"{FILES}/{kept['id']}")
    assert (gone.status_code, gone.json()["detail"]) == (404, f"there is no upload {kept['id']!r}")


@pytest.mark.parametrize(
    ("query", "told"),
    [({}, "filename"), ({"filename": "../"}, "names no file"), ({"filename": "a", "sha256": "0" * 64}, "sha256")],
)
def test_what_is_not_as_it_was_announced_is_not_kept(service: Any, query: dict[str, str], told: str) -> None:
    before = service.http.get(FILES).json()
    refused = service.http.post(FILES, params=query, content=b"{}")
    assert refused.status_code == 422
    assert told in refused.text
    assert service.http.get(FILES).json() == before


def test_files_of_jobs_and_of_other_faces_are_none_of_these(service: Any) -> None:
    kept = service.state.files.save([b"{}\n"], filename="a.jsonl", purpose="eval", file_type="jsonl")
    assert kept.id not in {each["id"] for each in service.http.get(FILES).json()["data"]}
    assert service.http.delete(f"{FILES}/{kept.id}").status_code == 404
