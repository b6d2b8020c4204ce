"""Hubs: what they may be, what they may lead to, and what of their answers is believed."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.errors import DatasetUnreadable, NotFound
from core.spec import FilesDataset
from tasks.datasets.found import Sources, Upload
from tasks.datasets.hub import Hubs
from tasks.datasets.hub_client import Reach
from tasks.datasets.rows import read_rows
from tasks.endpoint.guard import AddressRefused, Policy
from tests.tasks.datasets.hub import BAD_NAMES, DIGESTS, RESOLVED, ROWS, Hub, serving


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub()) as served:
        yield served


def rows(
    hub: Hub, home: Path, path: str = "org/ds/d.jsonl", *, token: str | None = None, most: int = 10_000
) -> list[Any]:
    sources = Sources(None, no_uploads, lambda ref: f"token of {ref}", hubs=Hubs((hub.url,), home / "hub", most))
    return list(read_rows(FilesDataset(url=f"hf://datasets/{path}", hub=hub.url, token=token), sources, limit=None))


def no_uploads(file_id: str) -> Upload:
    raise NotFound(file_id)


def files_below(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}


def test_a_file_comes_from_a_listed_hub_for_the_token_given_with_the_dataset(hub: Hub, tmp_path: Path) -> None:
    assert rows(hub, tmp_path, token="store:1") == [{"n": 1}, {"n": 2}]
    assert {authorization for _, authorization in hub.asked} == {"Bearer token of store:1"}


def test_a_folder_comes_whole(hub: Hub, tmp_path: Path) -> None:
    assert rows(hub, tmp_path, "org/ds") == [{"n": 1}, {"n": 2}] * 2
    assert rows(hub, tmp_path, "org/ds/z") == [{"n": 1}, {"n": 2}]


def test_what_a_hub_refuses_is_said_shortly(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DatasetUnreadable, match=r"hf://datasets/org/none/d\.jsonl could not be fetched: ") as refused:
        rows(hub, tmp_path, "org/none/d.jsonl", token="store:1")
    assert len(refused.value.message) < 400
    assert "token of" not in refused.value.message


def test_no_token_of_the_operator_reaches_a_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_operator")
    rows(hub, tmp_path)
    rows(hub, tmp_path, "org/ds")
    assert {authorization for _, authorization in hub.asked} == {None}


def test_what_a_token_opened_is_kept_for_that_token_alone(hub: Hub, tmp_path: Path) -> None:
    rows(hub, tmp_path, token="store:1")
    hub.twist = lambda _path, _answer: (401, {}, b"")
    with pytest.raises(DatasetUnreadable):
        rows(hub, tmp_path)


@pytest.mark.parametrize(
    "named",
    ["http://127.0.0.1:1", "https://huggingface.co.evil.example", "http://u:p@listed.example", "file:///etc", "x"],
)
def test_a_hub_that_is_not_listed_is_never_asked(named: str, tmp_path: Path) -> None:
    sources = Sources(None, no_uploads, str, hubs=Hubs(("http://listed.example",), tmp_path, 10_000))
    with pytest.raises(DatasetUnreadable, match="list it in ASSAY_HUBS") as refused:
        list(read_rows(FilesDataset(url="hf://datasets/org/ds/d.jsonl", hub=named), sources, limit=None))
    assert named not in refused.value.message or named == "x"


@pytest.mark.parametrize("header", ["ETag", "X-Linked-Etag", "X-Repo-Commit"])
@pytest.mark.parametrize("value", BAD_NAMES)
@pytest.mark.parametrize("status", [200, 404])
def test_a_header_that_is_no_digest_names_no_file(
    header: str, value: str, status: int, hub: Hub, tmp_path: Path
) -> None:
    hub.twist = lambda _, answer: (status, {**answer[1], header: f'"{value}"', "X-Error-Code": "EntryNotFound"}, ROWS)
    home = tmp_path / "a" / "b" / "home"
    with suppress(DatasetUnreadable):
        rows(hub, home)
    assert all(path.is_relative_to("a/b/home/hub") for path in files_below(tmp_path))
    kept = [path.relative_to("a/b/home/hub").parts[2:] for path in files_below(tmp_path) if "datasets--" in str(path)]
    assert all(re.fullmatch("[0-9a-f]{32,128}", parts[1].split(".")[0]) for parts in kept if parts[0] != "refs")


@pytest.mark.parametrize("sha", ["../../../out", "main", None, 3, ["a"], "A" * 40, "a" * 41])
def test_a_commit_in_an_answer_is_a_digest(sha: object, hub: Hub, tmp_path: Path) -> None:
    body = json.dumps({"id": "org/ds", "sha": sha}).encode()
    hub.twist = lambda path, answer: (200, answer[1], body) if "/revision/" in path else answer
    with pytest.raises(DatasetUnreadable, match="not what a hub says"):
        rows(hub, tmp_path / "home", "org/ds")
    assert not files_below(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "../../../out.jsonl",
        "/tmp/out.jsonl",
        "z/../../../../x.jsonl",
        "..\\x.jsonl",
        "",
        ".",
        "z//d.jsonl",
        None,
        4,
        "a\x00b.jsonl",
    ],
)
def test_a_path_in_an_answer_stays_in_its_folder(path: object, hub: Hub, tmp_path: Path) -> None:
    body = json.dumps([{"type": "file", "path": path, "oid": "b" * 40, "size": 1}]).encode()
    hub.twist = lambda asked, answer: (
        (200, answer[1], body) if "/tree/" in asked else (200, DIGESTS, ROWS) if "resolve" in asked else answer
    )
    home = tmp_path / "a" / "b" / "home"
    with pytest.raises(DatasetUnreadable):
        rows(hub, home, "org/ds")
    assert all(found.is_relative_to("a/b/home/hub") for found in files_below(tmp_path))


@pytest.mark.parametrize("body", [b"[" * 100_000, b"<html>", b"[1, null, [], {}]", b"", b"9" * 9_000])
def test_a_listing_that_is_none_is_refused(body: bytes, hub: Hub, tmp_path: Path) -> None:
    hub.twist = lambda path, answer: (200, answer[1], body) if "/tree/" in path else answer
    with pytest.raises(DatasetUnreadable):
        rows(hub, tmp_path, "org/ds")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"])
def test_a_redirect_leads_to_no_private_address(status: int, host: str, hub: Hub, tmp_path: Path) -> None:
    with serving(Hub()) as inner:
        target = inner.url.replace("127.0.0.1", host) + RESOLVED + "main/d.jsonl"
        hub.twist = lambda _, answer: (status, {**answer[1], "Location": target}, b"")
        with pytest.raises(DatasetUnreadable):
            rows(hub, tmp_path, token="store:1")
    assert inner.asked == []


def test_the_next_page_of_a_listing_leads_to_no_private_address(hub: Hub, tmp_path: Path) -> None:
    with serving(Hub()) as inner:
        link = f'<{inner.url}/api/datasets/org/ds/tree/x>; rel="next"'
        hub.twist = lambda path, answer: (200, {**answer[1], "Link": link}, answer[2]) if "/tree/" in path else answer
        with pytest.raises(DatasetUnreadable, match="address that no hub may lead to"):
            rows(hub, tmp_path, "org/ds")
    assert inner.asked == []


def test_an_answer_ends_at_the_bound(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DatasetUnreadable, match="more than 5 bytes"):
        rows(hub, tmp_path, most=5)


def test_a_packed_answer_is_not_unpacked(hub: Hub, tmp_path: Path) -> None:
    hub.twist = lambda _, answer: (answer[0], {**answer[1], "Content-Encoding": "gzip"}, answer[2])
    with pytest.raises(DatasetUnreadable, match="packed"):
        rows(hub, tmp_path)


def test_the_other_client_of_the_library_is_not_used(hub: Hub, tmp_path: Path) -> None:
    xet = {"X-Xet-Hash": "c" * 64, "X-Xet-Refresh-Route": "http://127.0.0.1:1/x"}
    hub.twist = lambda _, answer: (answer[0], {**answer[1], **xet}, answer[2])
    assert rows(hub, tmp_path) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.0.0.1", "127.0.0.1", "::1", "fe80::1", "0.0.0.0", "fd00::1"]
)
def test_a_name_at_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        Reach(Policy(allow=("hub.example:443",)), 1).check("cdn.example", 443, address)
