"""The command line's way to the service: the native API over HTTP."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

import httpx

from cli.place import REMEDY, Unreachable, find_service
from core.errors import Misconfigured

JOBS: Final = "/api/assay/v1/jobs"
COMPARISONS: Final = "/api/assay/v1/comparisons"
TIMEOUT_S: Final = 60.0

JsonDict = dict[str, Any]


class Refused(Exception):
    """The service refused a request; the message says why, `status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the status beside the message."""
        super().__init__(message)
        self.status = status


def path_to(start: str, *parts: str) -> str:
    """Return a path that goes on with parts of any characters."""
    return start + "".join(f"/{quote(part, safe='')}" for part in parts)


def job_path(job: str, *parts: str) -> str:
    """Return the path below the jobs of what there is of one, by its id, a start of that, or its name."""
    return path_to("", job, *parts)


class Client:
    """Asks the service at `url`, or where one is found, with `key` or that in ASSAY_API_KEY if there is one."""

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        """Connect to nothing yet, but to look for a service. Raises Unreachable and Misconfigured."""
        self.url = url or find_service()
        key = key or os.environ.get("ASSAY_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # No connection is kept, so that there is nothing to close.
        limits = httpx.Limits(max_keepalive_connections=0)
        try:
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=TIMEOUT_S, limits=limits, trust_env=False
            )
        except httpx.InvalidURL as error:
            raise Misconfigured(f"ASSAY_URL in the environment is no URL: {error}") from None

    def ask(self, method: str, path: str, **request: Any) -> JsonDict:
        """Send a request to any path, and return the answer; raises Refused and Unreachable."""
        try:
            response = _checked(self._http.request(method, path, **request))
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return response.json() if response.content else {}

    def get(self, path: str, **query: Any) -> JsonDict:
        """Return the answer to a request below the jobs; raises as `ask` does."""
        return self.ask("GET", JOBS + path, params=query)

    def compare(self, **query: Any) -> JsonDict:
        """Return a comparison of two results; raises as `ask` does."""
        return self.ask("GET", COMPARISONS, params=query)

    def post(self, path: str, body: object = None) -> JsonDict:
        """Send something below the jobs, and return the answer; raises as `ask` does."""
        return self.ask("POST", JOBS + path, json=body)

    def delete(self, path: str) -> None:
        """Delete something below the jobs; raises as `ask` does."""
        self.ask("DELETE", JOBS + path)

    @contextmanager
    def stream(self, path: str, query: Mapping[str, Any]) -> Iterator[Iterator[bytes]]:
        """Give the parts of a file below the jobs; raises Refused and Unreachable."""
        try:
            with self._http.stream("GET", JOBS + path, params=query) as response:
                if response.is_error:
                    response.read()
                yield _checked(response).iter_bytes()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        named = ", which ASSAY_URL names," if os.environ.get("ASSAY_URL") else ""
        return Unreachable(f"no answer from {self.url}{named} ({error}): {REMEDY}")


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    if response.status_code == 401:
        raise Refused("the service wants a key: set ASSAY_API_KEY to one of its ASSAY_API_KEYS", 401)
    raise Refused(_reason(response), response.status_code)


def _reason(response: httpx.Response) -> str:
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return f"{response.url} answered {response.status_code}; is it an Assay service?"
    if isinstance(detail, str):
        return detail
    return "\n".join(map(_problem, detail))


def _problem(found: JsonDict) -> str:
    """Return what is wrong where; what is said of the request as a whole names its place itself."""
    place, said = ".".join(map(str, found["loc"][1:])), str(found["msg"]).removeprefix("Value error, ")
    if place or found.get("type") != "value_error":
        return f"{place or 'request'}: {said}"
    return said
