import html
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.endpoint.route import AZURE_API_VERSION, LONGEST_KEYS, Route, RouteInvalid, route_url


@pytest.mark.parametrize(
    ("url", "route", "whole"),
    [
        ("http://h/v1", "/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/", "chat/completions", "http://h/v1/chat/completions"),
        ("http://h", "completions", "http://h/completions"),
        ("http://h/v1/chat/completions", "completions", "http://h/v1/completions"),
        ("http://h/v1/completions/", "chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions", "chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/completions?key=1", "chat/completions", "http://h/v1/chat/completions?key=1"),
        ("http://h/serving/m/invocations", "chat/completions", "http://h/serving/m/invocations"),
        ("http://h:11434/api/chat", "chat/completions", "http://h:11434/api/chat"),
        ("https://r.openai.azure.com/", "chat/completions", "https://r.openai.azure.com/openai/v1/chat/completions"),
        (
            "https://r.openai.azure.com/openai/deployments/d?api-version=2025-01-01",
            "chat/completions",
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2025-01-01",
        ),
        (
            "https://r.openai.azure.com/openai/deployments/d/chat/completions",
            "chat/completions",
            f"https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version={AZURE_API_VERSION}",
        ),
        ("http://h/v1?api-version=2", "completions", "http://h/v1/completions?api-version=2"),
    ],
)
def test_a_route_is_appended_unless_it_is_there(url: str, route: str, whole: str) -> None:
    assert route_url(url, route) == whole
    assert route_url(whole, route) == whole


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("https://r.services.ai.azure.com/models", "?api-version=2024-05-01"),
        ("https://r.openai.azure.us/openai/deployments/d", "?api-version=2024-05-01"),
        ("https://models.example/v1", ""),
    ],
)
def test_a_version_that_is_set_is_sent_to_any_route_of_azure(url: str, query: str) -> None:
    assert route_url(url, "chat/completions", api_version="2024-05-01") == f"{url}/chat/completions{query}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://h/v1", "http"),
        ("h/v1", "http"),
        ("http://", "http"),
        ("http://h:99999/", "99999"),
        ("http://h:x/", "URL"),
        ("http://xn--/", "URL"),
    ],
)
def test_a_url_that_cannot_be_asked_is_named(url: str, said: str) -> None:
    route = Route(url, "m")
    with pytest.raises(RouteInvalid, match=said):
        _ = route.destination
    assert route.origin == ""


def test_user_info_and_key_are_in_no_text() -> None:
    route = Route("http://user:hunter22@h:8000/v1?key=q1", "m", api_key="sk-secret")
    assert str(route.destination) == "http://h:8000/v1?key=q1"
    assert route.origin == "http://h:8000"
    assert "hunter22" not in repr(route)
    assert "sk-secret" not in repr(route)


def test_the_port_is_given_or_by_the_scheme() -> None:
    assert Route("http://h/v1", "m").port == 80
    assert Route("https://h/v1", "m").port == 443
    assert Route("https://h:8443/v1", "m").port == 8443


def test_a_key_is_sent_without_the_line_end_of_its_file() -> None:
    assert Route("http://h", "m", api_key="sk-secret\n").headers["authorization"] == "Bearer sk-secret"
    assert "authorization" not in Route("http://h", "m").headers
    with pytest.raises(RouteInvalid):
        _ = Route("http://h", "m", api_key="sk\r\nX-Other: 1").headers


AZURE = "https://r.openai.azure.com/openai/v1/chat/completions"


@pytest.mark.parametrize(
    ("url", "key", "header", "value"),
    [
        (AZURE, "0123456789abcdef", "api-key", "0123456789abcdef"),
        ("http://gateway/openai/deployments/d/chat/completions", "0123456789", "api-key", "0123456789"),
        (AZURE, "eyJhbGciOi.eyJzdWIi.c2ln", "authorization", "Bearer eyJhbGciOi.eyJzdWIi.c2ln"),
        ("https://h/v1/chat/completions", "0123456789abcdef", "authorization", "Bearer 0123456789abcdef"),
    ],
)
def test_a_key_goes_where_its_endpoint_looks(url: str, key: str, header: str, value: str) -> None:
    headers = Route(url, "m", api_key=key).headers
    assert {name: headers[name] for name in ("api-key", "authorization") if name in headers} == {header: value}


def test_headers_of_a_model_go_before_our_own_and_their_secrets_are_masked() -> None:
    extra = {"authorization": "Basic c2VjcmV0", "x-title": "Assay"}
    route = Route("https://h/v1", "m", api_key="sk-secret", extra=extra, secrets=("Basic c2VjcmV0",))
    assert (route.headers["Authorization"], route.headers["X-Title"]) == ("Basic c2VjcmV0", "Assay")
    assert route.mask(b"Assay saw Basic c2VjcmV0 and sk-secret") == b"Assay saw ****** and ******"
    assert "c2VjcmV0" not in repr(route)


@given(st.binary(), st.binary(), st.text('abcXYZ0189-_/+="\\&<>', min_size=6).map(lambda key: f"k{key}k"))
def test_a_key_is_masked_wherever_it_stands_and_however_json_escapes_it(before: bytes, after: bytes, key: str) -> None:
    route = Route("http://h", "m", api_key=key)
    for_html = orjson.dumps(key).replace(b"<", rb"\u003c").replace(b">", rb"\u003e").replace(b"&", rb"\u0026")
    for echo in (key.encode(), orjson.dumps(key)[1:-1], for_html[1:-1], for_html[1:-1].replace(b"/", rb"\/")):
        assert echo not in route.mask(before + echo + after)


@pytest.mark.parametrize(
    "escape",
    [
        lambda c: f"\\u{ord(c):04x}",
        lambda c: f"\\u{ord(c):04X}",
        lambda c: f"\\\\u{ord(c):04x}",
        lambda c: f"\\x{ord(c):02x}",
        lambda c: f"%{ord(c):02X}",
        lambda c: f"%25{ord(c):02x}",
        lambda c: f"&#{ord(c)};",
        lambda c: f"&#x{ord(c):X};",
        html.escape,
        lambda c: c if c.isalnum() else f"\\{c}",
        lambda c: c if c.isalnum() else f"\\u{ord(c):04X}",
    ],
)
def test_an_escaped_key_is_masked_too(escape: Callable[[str], str]) -> None:
    key = "sk+a/b\"c&d<e=f'"
    echo = "".join(map(escape, key))
    assert Route("http://h", "m", api_key=key).mask(f"before {echo} after".encode()) == b"before ****** after"


def test_a_placeholder_for_a_key_is_left_in_answers() -> None:
    assert Route("http://h", "m", api_key="EMPTY").mask(b"it is EMPTY") == b"it is EMPTY"
    assert Route("http://h", "m").mask(b"it is EMPTY") == b"it is EMPTY"


@pytest.mark.thorough
@pytest.mark.parametrize("character", ["k", "<", "/"])
def test_the_longest_keys_are_masked_and_longer_ones_refused_without_a_word_of_them(character: str, capfd) -> None:
    key = character * (LONGEST_KEYS - 6) + "secret"
    longest = Route("http://h", "m", api_key=key)
    assert longest.headers["authorization"]
    assert longest.mask(b'"' + key.encode() + b'"') == b'"******"'
    for route in (Route("http://h", "m", api_key=key + "x"), Route("http://h", "m", api_key=key, secrets=("x",))):
        with pytest.raises(RouteInvalid, match="more than 8,192 characters"):
            _ = route.headers
    assert not capfd.readouterr().err
