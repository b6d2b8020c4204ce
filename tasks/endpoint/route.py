"""Where and how one model is asked."""

from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from typing import Final
from urllib.parse import urlsplit

import httpx
import orjson

MASK: Final = b"******"
MIN_KEY_LENGTH: Final = 6
"""A shorter key is a placeholder ("EMPTY", "none"); masking it would change answers."""

_PORTS: Final = {"http": 80, "https": 443}


class RouteInvalid(ValueError):
    """A route cannot be asked: its URL or its key is wrong."""


@dataclass(frozen=True)
class Route:
    """Where and how one model is asked.

    `url` is that of the route itself. `timeout_s` bounds one attempt, from connecting to the last
    byte; after `retry_window_s`, waits included, no further attempt starts. `concurrency` and
    `requests_per_minute` bound the model over all jobs of the process: those of the first route to
    an (origin, model) hold.
    """

    url: str = field(repr=False)
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 120.0
    max_retries: int = 5
    retry_window_s: float = 600.0
    concurrency: int | None = None
    requests_per_minute: float | None = None

    @cached_property
    def destination(self) -> httpx.URL:
        """The URL without user info; raises RouteInvalid if no request can be sent there."""
        try:
            url = httpx.URL(self.url).copy_with(username=None, password=None)
            host = url.host
        except (httpx.InvalidURL, UnicodeError):
            raise RouteInvalid("The endpoint's URL is not valid") from None
        if url.scheme not in _PORTS or not host:
            raise RouteInvalid("The endpoint's URL must be http://host/... or https://host/...")
        if url.port is not None and not 0 < url.port < 65536:
            raise RouteInvalid(f"The endpoint's URL has no valid port: {url.port}")
        return url

    @cached_property
    def port(self) -> int:
        """The port, given or by the scheme."""
        return self.destination.port or _PORTS[self.destination.scheme]

    @cached_property
    def origin(self) -> str:
        """The scheme, host and port, which tell one endpoint from another; of an invalid URL nothing."""
        try:
            return f"{self.destination.scheme}://{self.destination.netloc.decode()}"
        except RouteInvalid:
            return ""

    @cached_property
    def headers(self) -> httpx.Headers:
        """The headers of each request; raises RouteInvalid for a key that no header can hold."""
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": user_agent(),
        }
        key = (self.api_key or "").strip()
        if not (key.isascii() and key.isprintable()):
            raise RouteInvalid("The endpoint's key has characters that cannot be sent")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return httpx.Headers(headers)

    def mask(self, body: bytes) -> bytes:
        """Replace the key wherever an endpoint echoes it."""
        for key in self._echoes:
            if key in body:
                body = body.replace(key, MASK)
        return body

    @cached_property
    def _echoes(self) -> tuple[bytes, ...]:
        key = (self.api_key or "").strip()
        return spellings(key) if len(key) >= MIN_KEY_LENGTH else ()


def spellings(key: str) -> tuple[bytes, ...]:
    """Return how a key may stand in an answer: as it is, or as one of the encoders of JSON escapes it."""
    plain, json = key.encode(), orjson.dumps(key)[1:-1]
    for_html = json.replace(b"&", rb"\u0026").replace(b"<", rb"\u003c").replace(b">", rb"\u003e")
    escaped = (json, for_html)
    return tuple(dict.fromkeys((plain, *escaped, *(each.replace(b"/", rb"\/") for each in escaped))))


def route_url(url: str, route: str) -> str:
    """Append `route` ("chat/completions" or "completions") to a base URL; keep the URL of a route as it is."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path.endswith("/completions"):
        return url
    return parts._replace(path=f"{path}/{route.lstrip('/')}").geturl()


@cache
def user_agent() -> str:
    """Return the name and version under which endpoints see us."""
    try:
        return f"assay/{metadata.version('assay-evals')}"
    except metadata.PackageNotFoundError:
        return "assay/dev"
