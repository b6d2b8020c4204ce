"""Files as the generations of the client send and fetch them, byte for byte on the wire."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Service
from tests.conftest import WAIT_S, until

ROWS = b'{"a": 1}\n{"a": 2}\n'
SHA256 = hashlib.sha256(ROWS).hexdigest()
FIELDS = {"purpose": "eval", "file_name": "d.jsonl", "file_type": "jsonl"}
STATUS = Path("/proc/self/status")


def texts(**fields: str) -> dict[str, tuple[None, str]]:
    """Return the fields as parts of a multipart body that are no files."""
    return {name: (None, value) for name, value in fields.items()}


def announce(service: Service, **fields: str) -> httpx.Response:
    return service.http.post("/v1/files", files=texts(**FIELDS | fields))


def kept(service: Service) -> list[Path]:
    root = service.state.settings.home / "files"
    return [path for path in root.rglob("*") if path.is_file()]


WAYS = {
    "in a multipart body": {"files": texts(**FIELDS, checksum=SHA256)},
    "urlencoded": {"data": FIELDS},
    "in the query and urlencoded": {"params": FIELDS | {"file_name": "/home/me/d.jsonl"}, "data": FIELDS},
    "in the query": {"params": FIELDS},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
@pytest.mark.parametrize("path", ["/v1/files", "/v1/files/", "/v1/v1/files"])
def test_a_file_is_announced_then_put_then_processed(service, way, path):
    response = service.http.post(path, **way)
    assert (response.status_code, response.content) == (302, b"")
    location, file_id = response.headers["location"], response.headers["x-together-file-id"]
    assert location.startswith(f"{service.url}/uploads/")
    path = path.rstrip("/")
    before = service.http.get(f"{path}/{file_id}/").json()
    assert (before["Processed"], before["bytes"], before["filename"]) == (False, 0, "d.jsonl")
    put = httpx.put(location, content=ROWS, timeout=WAIT_S)
    assert put.status_code == 200
    file = service.http.post(f"{path}/{file_id}/preprocess").json()
    assert file == service.http.get(f"/v1/files/{file_id}").json()
    assert file == {
        "id": file_id,
        "object": "file",
        "created_at": file["created_at"],
        "type": None,
        "purpose": "eval",
        "filename": "d.jsonl",
        "bytes": len(ROWS),
        "LineCount": 2,
        "Processed": True,
        "FileType": "jsonl",
    }
    assert isinstance(file["created_at"], int)
    content = service.http.get(f"{path}/{file_id}/content", headers={"accept": "application/binary"})
    assert content.content == ROWS
    assert content.headers["content-length"] == str(len(ROWS))
    assert content.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("path", ["/v1/files", "/v1/files/upload"])
def test_a_file_in_a_form_is_checked_against_its_checksum(service, path):
    def send(checksum: str) -> httpx.Response:
        return service.http.post(path, data={**FIELDS, "checksum": checksum}, files={"file": ("d.jsonl", ROWS)})

    before = kept(service), service.http.get("/v1/files").json()
    refused = send("0" * 64)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "checksum")
    assert SHA256 in refused.json()["error"]["message"]
    assert (kept(service), service.http.get("/v1/files").json()) == before
    assert send(SHA256).json()["bytes"] == len(ROWS)


@pytest.mark.parametrize("path", ["/v1/files", "/v1/files/upload"])
@pytest.mark.parametrize("fields", [FIELDS, {"purpose": "eval"}], ids=["named twice", "named by the part"])
def test_a_file_in_a_form_is_kept_at_once(service, path, fields):
    response = service.http.post(path, data=fields, files={"file": ("d.jsonl", ROWS, "text/plain")})
    file = response.json()
    assert response.status_code == 200
    assert (file["filename"], file["FileType"], file["LineCount"], file["Processed"]) == ("d.jsonl", "jsonl", 2, True)
    assert service.http.get(f"/v1/files/{file['id']}/content").content == ROWS


def test_the_fields_of_a_form_may_come_after_its_file(service):
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xa9.csv"\r\n\r\na\r\n1\r\n--b\r\n'
        b'content-disposition: form-data; name="purpose"\r\n\r\neval\r\n--b--\r\n'
    )
    sent = (body[i : i + 1] for i in range(len(body)))
    response = service.http.post("/v1/files", content=sent, headers={"content-type": "multipart/form-data; boundary=b"})
    assert response.status_code == 200
    assert (response.json()["filename"], response.json()["FileType"]) == ("é.csv", "csv")
    assert service.http.get(f"/v1/files/{response.json()['id']}/content").content == b"a\r\n1"


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> dict[str, object]:
    head = b"--b\r\nContent-Disposition: form-data; name="
    return {
        "content": b"".join(head + part + b"\r\n" for part in parts) + end,
        "headers": {"content-type": "multipart/form-data; boundary=b"},
    }


FILE = b'"file"; filename="d.jsonl"\r\n\r\n{}'
BAD_FORMS = {
    "two files": (form(FILE, FILE), 400, "two files"),
    "no last boundary": (form(FILE, end=b""), 400, "breaks off"),
    "no boundary": ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "cannot be read"),
    "long fields": (form(b'"x"\r\n\r\n' + b"x" * 70_000), 413, "64000 bytes"),
    "many fields": (form(*([b'"x"\r\n\r\n'] * 20_000)), 413, "64000 bytes"),
    "long urlencoded fields": ({"data": {"x": "x" * 70_000}}, 413, "64000 bytes"),
    "no purpose": (form(FILE), 400, "purpose"),
}


@pytest.mark.parametrize(("sent", "status", "said"), BAD_FORMS.values(), ids=list(BAD_FORMS))
def test_a_form_that_cannot_be_used_leaves_nothing(service, sent, status, said):
    before = kept(service)
    response = service.http.post("/v1/files", **sent)
    error = response.json()["error"]
    assert response.status_code == status
    assert said in error["message"]
    assert kept(service) == before


BAD_FIELDS = {
    "purpose": ("cook", "purpose"),
    "file_type": ("exe", "file_type"),
    "file_name": ("../..", "file_name"),
    "checksum": ("abc", "checksum"),
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_a_field_that_is_wrong_is_named(service, name):
    value, param = BAD_FIELDS[name]
    response = announce(service, **{name: value})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("name", ["d", "d.txt", "jsonl.d"])
def test_a_type_that_the_name_does_not_tell_must_be_given(service, name):
    fields = {"purpose": "eval", "file_name": name}
    refused = service.http.post("/v1/files", data=fields).json()["error"]
    assert (refused["param"], refused["message"]) == ("file_type", "file_type: Field required")
    assert service.http.post("/v1/files", data={**fields, "file_type": "csv"}).status_code == 302
    assert service.http.post("/v1/files", data={**fields, "file_name": "d.JSONL"}).status_code == 302


def test_an_upload_without_a_file_is_refused(service):
    response = service.http.post("/v1/files/upload", files=texts(**FIELDS))
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "file"


def test_names_lose_their_folders_and_what_cannot_be_seen(service):
    file_id = announce(service, file_name="C:\\data\\ro\x00w\u202es\n.jsonl").headers["x-together-file-id"]
    assert service.http.get(f"/v1/files/{file_id}").json()["filename"] == "rows.jsonl"
    assert announce(service, file_name="x" * 256).status_code == 400


def test_an_upload_url_is_good_for_one_file(service):
    location = announce(service).headers["location"]
    assert httpx.put(location, content=ROWS, timeout=WAIT_S).status_code == 200
    again = httpx.put(location, content=b"other", timeout=WAIT_S)
    assert again.status_code == 404
    assert "used or expired" in again.json()["error"]["message"]
    assert httpx.put(location[:-1], content=ROWS, timeout=WAIT_S).status_code == 404
    assert len(location.rpartition("/")[2]) >= 43


def test_what_is_not_what_was_announced_is_refused_and_may_be_sent_again(service):
    response = announce(service, checksum=SHA256)
    before = kept(service)
    put = httpx.put(response.headers["location"], content=ROWS + b"more", timeout=WAIT_S)
    assert (put.status_code, put.json()["error"]["param"]) == (400, "checksum")
    assert SHA256 in put.json()["error"]["message"]
    assert kept(service) == before
    assert httpx.put(response.headers["location"], content=ROWS, timeout=WAIT_S).status_code == 200
    assert service.http.get(f"/v1/files/{response.headers['x-together-file-id']}").json()["bytes"] == len(ROWS)


def test_an_upload_that_breaks_off_leaves_nothing_and_may_be_sent_again(service):
    def breaking() -> Iterator[bytes]:
        yield ROWS
        raise ConnectionAbortedError

    response = announce(service)
    with pytest.raises(ConnectionAbortedError):
        httpx.put(response.headers["location"], content=breaking(), headers={"content-length": "1000"}, timeout=WAIT_S)
    until("the drafts to go", lambda: not any(path.suffix == ".tmp" for path in kept(service)))
    assert httpx.put(response.headers["location"], content=ROWS, timeout=WAIT_S).status_code == 200
    assert service.http.get(f"/v1/files/{response.headers['x-together-file-id']}").json()["bytes"] == len(ROWS)


def test_files_are_listed_the_newest_first_by_the_purposes_that_all_clients_know(service):
    ids = {}
    for purpose in ("eval", "eval-sample", "fine-tune"):
        file = service.http.post("/v1/files", data={"purpose": purpose}, files={"file": ("d.jsonl", ROWS)}).json()
        ids[purpose] = file["id"]
    pending = announce(service).headers["x-together-file-id"]
    listed = service.http.get("/v1/files").json()
    assert listed["object"] == "list"
    shown = [file["id"] for file in listed["data"]]
    assert shown[:2] == [ids["fine-tune"], ids["eval"]]
    assert ids["eval-sample"] not in shown
    assert pending not in shown


def test_a_deleted_file_is_gone(service):
    file_id = service.http.post("/v1/files", data={"purpose": "eval"}, files={"file": ("d.jsonl", ROWS)}).json()["id"]
    assert service.http.delete(f"/v1/files/{file_id}").json() == {"id": file_id, "object": "file", "deleted": True}
    for answer in (
        service.http.get(f"/v1/files/{file_id}"),
        service.http.get(f"/v1/files/{file_id}/content"),
        service.http.post(f"/v1/files/{file_id}/preprocess"),
        service.http.delete(f"/v1/files/{file_id}"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_the_files_of_other_faces_are_not_found(service):
    file = service.state.files.save([ROWS], filename="rows.jsonl", purpose="evaluation-run", file_type="jsonl")
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert service.http.request(method, f"/v1/files/{file.id}{path}").status_code == 404
    assert service.state.files.get(file.id) == file


def test_a_file_that_was_announced_can_be_deleted_before_it_comes(service):
    response = announce(service)
    assert service.http.delete(f"/v1/files/{response.headers['x-together-file-id']}").json()["deleted"] is True
    assert httpx.put(response.headers["location"], content=ROWS, timeout=WAIT_S).status_code == 404
    assert service.http.get(f"/v1/files/{response.headers['x-together-file-id']}").status_code == 404


def test_the_content_of_a_file_that_has_not_come_is_not_found(service):
    file_id = announce(service).headers["x-together-file-id"]
    response = service.http.get(f"/v1/files/{file_id}/content")
    assert (response.status_code, response.json()["error"]["message"]) == (404, "File not found")


def peak_kb() -> int:
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))


@pytest.mark.thorough
@pytest.mark.skipif(not STATUS.exists(), reason="reads the peak of this process's memory from /proc")
@pytest.mark.parametrize("way", ["put", "form"])
def test_a_large_upload_costs_no_memory(service, way):
    size, chunk = 200_000_000, b"x" * 1_000_000

    def chunks(*ends: bytes) -> Iterator[bytes]:
        head, tail = ends or (b"", b"")
        yield head
        yield from (chunk for _ in range(size // len(chunk)))
        yield tail

    location = announce(service).headers["location"]
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = peak_kb()
    if way == "put":
        response = httpx.put(location, content=chunks(), timeout=WAIT_S)
    else:
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        response = httpx.post(
            f"{service.url}/v1/files?purpose=eval",
            content=chunks(head, b"\r\n--b--\r\n"),
            headers={"content-type": "multipart/form-data; boundary=b"},
            timeout=WAIT_S,
        )
    assert response.status_code == 200
    assert peak_kb() - before < 30_000
    newest = service.http.get("/v1/files").json()["data"][0]
    assert newest["bytes"] == size
    service.http.delete(f"/v1/files/{newest['id']}")


@pytest.mark.parametrize("path", ["/v1/whoami", "/v3/whoami", "/v1/v1/whoami", "/v1/v3/whoami"])
def test_who_asks_is_told_a_project(service, path):
    answer = service.http.get(path).json()
    assert answer["type"] == "project_api_key"
    assert answer["project"].keys() == {"id", "name", "slug"}
    assert answer["organization"].keys() == {"id", "name"}
    assert answer["api_key"]["id"]
    assert ("project_slug" in answer) is path.endswith("v1/whoami")
