import hashlib
from typing import Any

import httpx
import pytest

from tests.api.conftest import Service
from tests.conftest import WAIT_S

PARTS = (b'{"a": 1}\n', b'{"a": 2}')
WHOLE = b"".join(PARTS)
MULTIPART = "/v1/files/multipart"
ASKED = {
    "file_name": "large.jsonl",
    "file_size": len(WHOLE),
    "num_parts": len(PARTS),
    "purpose": "eval",
    "file_type": "jsonl",
    "checksum": hashlib.sha256(WHOLE).hexdigest(),
}


def begin(service: Service) -> dict[str, Any]:
    return service.http.post(f"{MULTIPART}/initiate", json=ASKED).json()


def put_parts(begun: dict[str, Any]) -> list[dict[str, Any]]:
    sent = []
    for part, content in zip(begun["parts"], PARTS, strict=True):
        response = httpx.put(part["URL"], content=content, headers=part["Headers"], timeout=WAIT_S)
        assert response.status_code == 200
        sent.append({"part_number": part["PartNumber"], "etag": response.headers["etag"].strip('"')})
    return sent


def complete(service: Service, begun: dict[str, Any], parts: list[dict[str, Any]]) -> httpx.Response:
    ids = {name: begun[name] for name in ("upload_id", "file_id")}
    return service.http.post(f"{MULTIPART}/complete", json=ids | {"parts": parts})


def test_a_large_file_comes_in_parts(service):
    begun = begin(service)
    assert [part["PartNumber"] for part in begun["parts"]] == [1, 2]
    assert service.http.get(f"/v1/files/{begun['file_id']}").json()["Processed"] is False
    parts = put_parts(begun)
    response = complete(service, begun, parts[::-1])
    file = response.json()["file"]
    assert (response.status_code, file["id"]) == (200, begun["file_id"])
    assert (file["bytes"], file["LineCount"], file["Processed"]) == (len(WHOLE), 2, True)
    assert service.http.get(f"/v1/files/{file['id']}/content").content == WHOLE
    assert complete(service, begun, parts).json() == {"file": file}
    assert httpx.put(begun["parts"][0]["URL"], content=b"late", timeout=WAIT_S).status_code == 404


def test_an_upload_in_parts_can_be_aborted(service):
    begun = begin(service)
    put_parts(begun)
    ids = {name: begun[name] for name in ("upload_id", "file_id")}
    assert service.http.post(f"{MULTIPART}/abort", json=ids).json() == {"file_id": begun["file_id"], "aborted": True}
    assert service.http.post(f"{MULTIPART}/abort", json=ids).status_code == 404
    assert httpx.put(begun["parts"][0]["URL"], content=b"late", timeout=WAIT_S).status_code == 404
    assert not (service.state.settings.home / "files" / "parts" / begun["file_id"]).exists()


def test_parts_that_do_not_make_the_file_are_refused_and_can_be_mended(service):
    begun = begin(service)
    parts = put_parts(begun)
    swapped = [{**parts[0], "etag": parts[1]["etag"]}, parts[1]]
    for wrong in (parts[:1], swapped, [parts[0], parts[0]]):
        response = complete(service, begun, wrong)
        assert (response.status_code, response.json()["error"]["param"]) == (400, "parts")
    longer = httpx.put(begun["parts"][0]["URL"], content=PARTS[0] + b" ", timeout=WAIT_S)
    response = complete(service, begun, [{"part_number": 1, "etag": longer.headers["etag"]}, parts[1]])
    assert (response.status_code, response.json()["error"]["param"]) == (400, "file_size")
    assert complete(service, begun, put_parts(begun)).status_code == 200


def test_the_two_kinds_of_upload_urls_are_told_apart(service):
    begun = begin(service)
    whole_url = begun["parts"][0]["URL"].rpartition("/")[0]
    assert httpx.put(whole_url, content=WHOLE, timeout=WAIT_S).status_code == 404
    assert httpx.put(f"{whole_url}/3", content=b"x", timeout=WAIT_S).status_code == 404
    assert httpx.put(f"{whole_url}/x", content=b"x", timeout=WAIT_S).status_code == 400
    single = service.http.post("/v1/files", data={"purpose": "eval", "file_name": "d.csv"}).headers["location"]
    assert httpx.put(f"{single}/1", content=b"x", timeout=WAIT_S).status_code == 404
    assert httpx.put(single, content=b"a\n1\n", timeout=WAIT_S).status_code == 200


@pytest.mark.parametrize(
    ("changed", "status", "param"),
    [
        ({"file_size": 6_000_000_000}, 413, None),
        ({"num_parts": 0}, 400, "num_parts"),
        ({"num_parts": len(WHOLE) + 1}, 400, "num_parts"),
        ({"purpose": "cook"}, 400, "purpose"),
        ({"file_name": "d.txt", "file_type": None}, 400, "file_type"),
    ],
)
def test_what_cannot_be_uploaded_is_refused_at_the_beginning(service, changed, status, param):
    response = service.http.post(f"{MULTIPART}/initiate", json=ASKED | changed)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)


def test_ids_that_do_not_belong_together_are_not_found(service):
    begun = begin(service)
    for path in ("complete", "abort"):
        body = {"upload_id": begun["upload_id"], "file_id": "file-other", "parts": []}
        assert service.http.post(f"{MULTIPART}/{path}", json=body).status_code == 404
    assert service.http.get(f"/v1/files/{begun['file_id']}").status_code == 200
