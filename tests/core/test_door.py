"""Which hosts a server answers to, and whose pages may ask it."""

import pytest
from pydantic import ValidationError

from core.door import Door
from core.settings import Settings

DOOR = Door(frozenset({"localhost", "127.0.0.1"}), frozenset({"evals.example"}))


def refused(*headers: tuple[str, str], method: str = "POST") -> bool:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return DOOR.refusal(raw, method) is not None


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:7331", "127.0.0.1:80", "10.1.2.3", "[::1]:7331", "localhost.", "evals.example"]
)
def test_a_request_to_a_name_of_its_own_or_an_address_is_let_in(host: str) -> None:
    assert not refused(("Host", host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7331",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "evals.example.evil.example",
        "localhost@evil.example",
        "127.0.0.1, evil.example",
        "evil.example#localhost",
        "localhost:99999999",
        "[::1",
        "",
        "\xad",
        "a b",
    ],
)
def test_a_request_to_another_name_is_refused(host: str) -> None:
    assert refused(("Host", host))


def test_a_request_to_no_host_or_to_two_is_refused() -> None:
    assert refused()
    assert refused(("Host", "localhost"), ("Host", "evil.example"))
    assert refused(("Host", "localhost"), ("Host", "localhost"))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense", ""])
@pytest.mark.parametrize("mode", ["cors", "no-cors", "navigate", "websocket"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("dest", ["document", "iframe", "image", "empty"])
def test_another_site_can_only_lead_the_user_here(site: str, mode: str, method: str, dest: str) -> None:
    fetch = (("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest))
    is_visit = (method, mode, dest) == ("GET", "navigate", "document")
    assert refused(("Host", "localhost"), *fetch, method=method) == (not is_visit)


@pytest.mark.parametrize(
    ("origin", "fails"),
    [
        ("http://localhost:7331", False),
        ("https://evals.example", False),
        ("http://localhost:3000", True),
        ("http://127.0.0.1:7331", True),
        ("https://evil.example", True),
        ("http://localhost:7331.evil.example", True),
        ("null", True),
        ("", True),
        ("file://", True),
        ("chrome-extension://abc", True),
    ],
)
def test_a_page_of_another_origin_is_refused(origin: str, fails: bool) -> None:
    assert refused(("Host", "localhost:7331"), ("Origin", origin)) == fails


def test_a_service_knows_its_own_names() -> None:
    settings = Settings(public_url="https://evals.example/base", hosts=("Proxy.example",))
    door = settings.door
    assert {"localhost", "127.0.0.1"} <= door.names
    assert door.published == {"evals.example", "proxy.example"}


@pytest.mark.parametrize(
    "origin", ["http://[", "http://[::1", "null", "", "ftp://localhost", "http://localhost@evil.example"]
)
def test_an_origin_that_cannot_be_read_is_refused(origin: str) -> None:
    assert refused(("Host", "localhost"), ("Origin", origin))


@pytest.mark.parametrize("url", ["http://[", "http://:80", "http://evals.example:port", "http://evals.example:99999"])
def test_an_address_that_cannot_be_read_is_refused_as_a_setting(url: str) -> None:
    with pytest.raises(ValidationError, match="public_url"):
        Settings(public_url=url)
