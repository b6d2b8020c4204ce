"""Where and how one model is asked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, urlsplit

import httpx
import re2
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tasks.endpoint.limits.ledger import UNBOUNDED, Bounds, Ledger

MASK: Final = b"******"
MIN_KEY_LENGTH: Final = 6
"""A shorter key is a placeholder ("EMPTY", "none"); masking it would change answers."""

LONGEST_KEYS: Final = 8_192
"""Of all keys of a route: more than any server takes, and few enough to be found however an answer spells them."""

MAX_ANSWER: Final = 8_000_000
AZURE_API_VERSION: Final = "2024-10-21"
"""Of Azure's routes of deployments, where neither the URL nor the settings say one."""

_NAMED: Final = {b"&amp;": "&", b"&lt;": "<", b"&gt;": ">", b"&quot;": '"', b"&apos;": "'"}
"""How HTML escapes what a key may hold, where it does so by name."""

_PORTS: Final = {"http": 80, "https": 443}
_AZURE_HOSTS: Final = (
    ".openai.azure.com",
    ".openai.azure.us",
    ".openai.azure.cn",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
)
_DEPLOYMENT: Final = "/openai/deployments/"
_TOKEN_OF_ENTRA: Final = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")
_WHOLE: Final = ("/completions", "/invocations", "/api/chat", "/api/generate")
"""The ends of URLs that are those of a route: OpenAI's, Databricks' and SageMaker's, Ollama's own."""


class RouteInvalid(ValueError):
    """A route cannot be asked: its URL or its key is wrong."""


@dataclass(frozen=True)
class Route:
    """Where and how one model is asked.

    `url` is that of the route itself. `timeout_s` bounds one attempt, from connecting to the last
    byte; after `retry_window_s`, waits included, no further attempt starts. The `bounds` of the model
    hold over all jobs of all processes with the same `ledger`: those of the first route to an (origin,
    model). `extra` are headers of the model's own, `secrets` those of their values
    that are masked like the key. Certificates are verified by `ca_file` too.
    """

    url: str = field(repr=False)
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 120.0
    max_retries: int = 5
    retry_window_s: float = 600.0
    bounds: Bounds = UNBOUNDED
    ledger: Ledger | None = field(default=None, repr=False)
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    ca_file: Path | None = None
    max_answer: int = MAX_ANSWER

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
    def target(self) -> URL:
        """The URL as the client of calls has it, spelt as it is; raises RouteInvalid as `destination` does."""
        url = str(self.destination)
        try:
            return URL(url, encoded=True)
        except ValueError:  # which hosts are valid is not agreed upon
            raise RouteInvalid("The endpoint's URL is not valid") from None

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

    @property
    def place(self) -> str:
        """The model and the endpoint that it is asked at, by which its bounds are known."""
        return f"{self.model} at {self.origin}"

    @cached_property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers of each request; raises RouteInvalid for a key that no header can hold."""
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": user_agent(),
        }
        key = (self.api_key or "").strip()
        if not all(text.isascii() and text.isprintable() for text in (key, *self.extra.values())):
            raise RouteInvalid("The endpoint's key has characters that cannot be sent")
        if len(key) + sum(map(len, self.secrets)) > LONGEST_KEYS:
            raise RouteInvalid(f"The endpoint's keys have more than {LONGEST_KEYS:,} characters")
        if key and self._is_azure and not _TOKEN_OF_ENTRA.fullmatch(key):
            headers["api-key"] = key
        elif key:
            headers["Authorization"] = f"Bearer {key}"
        sent = CIMultiDict(headers)
        sent.update(self.extra)
        return CIMultiDictProxy(sent)

    @property
    def _is_azure(self) -> bool:
        return _is_azure(self.destination.host, self.destination.path)

    def mask(self, body: bytes) -> bytes:
        """Replace the keys wherever an endpoint echoes them."""
        masked: bytes = body if self._echoes is None else self._echoes.sub(MASK, body)
        return masked

    @cached_property
    def _echoes(self) -> Any:
        keys = [key for key in ((self.api_key or "").strip(), *self.secrets) if len(key) >= MIN_KEY_LENGTH]
        return re2.compile(b"|".join(map(spellings, keys)), _of_bytes()) if keys else None


def spellings(key: str) -> bytes:
    """Return a pattern of how a key may stand in an answer: each byte as it is, or escaped for JSON, URLs or HTML."""
    return b"".join(_spellings_of(byte) for byte in key.encode())


def _of_bytes() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False  # they would go out with the pattern, which is a key
    options.max_mem = 1 << 26
    return options


def _spellings_of(byte: int) -> bytes:
    hexadecimal = b"".join(b"[%c%c]" % (ord(digit.lower()), ord(digit.upper())) for digit in f"{byte:02x}")
    plain = rb"\x%02x" % byte
    escaped = [
        plain,
        rb"\\+" + plain,
        rb"\\+[uU]00" + hexadecimal,
        rb"\\+x" + hexadecimal,
        rb"%(?:25)*" + hexadecimal,
        b"&#0*%d;" % byte,
        b"&#[xX]0*" + hexadecimal + b";",
        *(name for name, value in _NAMED.items() if ord(value) == byte),
    ]
    return b"(?:" + b"|".join(escaped) + b")"


def route_url(url: str, route: str, *, api_version: str | None = None) -> str:
    """Append `route` ("chat/completions" or "completions") to a base URL; keep the URL of a route as it is.

    Of the two routes of a model, the one that lies beside the other is taken where the URL is that of the other.
    """
    parts, route = urlsplit(url), route.lstrip("/")
    path = parts.path.rstrip("/")
    if path.endswith("/completions"):
        base = path.removesuffix("/completions").removesuffix("/chat")
        if path == f"{base}/{route}":
            return _of_azure(parts, api_version).geturl()
        path = f"{base}/{route}"
    elif not path.endswith(_WHOLE):
        if path in ("", "/openai") and _is_azure(parts.hostname or "", path):
            path = "/openai/v1"
        path = f"{path}/{route}"
    return _of_azure(parts._replace(path=path), api_version).geturl()


def _of_azure(parts: SplitResult, api_version: str | None) -> SplitResult:
    """Add the version of the API that is set; without one Azure has no deployment."""
    wants = _is_azure(parts.hostname or "", parts.path) if api_version else _DEPLOYMENT in parts.path
    if not wants or "api-version" in parse_qs(parts.query):
        return parts
    version = f"api-version={api_version or AZURE_API_VERSION}"
    return parts._replace(query=f"{parts.query}&{version}" if parts.query else version)


def _is_azure(host: str, path: str) -> bool:
    return host.lower().endswith(_AZURE_HOSTS) or _DEPLOYMENT in path


@cache
def user_agent() -> str:
    """Return the name and version under which endpoints see us."""
    try:
        return f"assay/{metadata.version('assay-evals')}"
    except metadata.PackageNotFoundError:
        return "assay/dev"
