"""Where and how a model is asked, and by whose key: as its endpoint says, otherwise as the settings do."""

import os
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from core.endpoint import Endpoint, SecretRef
from core.errors import Misconfigured, SpecInvalid
from core.settings import ModelSettings, Settings
from tasks.endpoint.limits.ledger import Bounds
from tasks.endpoint.route import Route, route_url

_VARIABLE: Final = "env:"
_SECRET_HEADER: Final = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)


class Access(NamedTuple):
    """A URL, the reference of a request's key or else the service's own key, and the model's own settings."""

    url: str
    reference: SecretRef | None
    key: str | None
    model: ModelSettings
    is_ours: bool
    """Whether the URL is that of the settings: headers that are set for it go nowhere else."""


def access_to(endpoint: Endpoint, settings: Settings) -> Access:
    """Return where a model is asked. Raises SpecInvalid for one that has no URL, Misconfigured if its key is not set.

    The service's own keys go only to the URLs in its settings, not to one that came with a request.
    """
    model = settings.of_model(endpoint.model)
    url = endpoint.url or settings.url_of(endpoint.model)
    if url is None:
        raise SpecInvalid(
            f"model {endpoint.model!r} has no URL: give one, or set ASSAY_DEFAULT_ENDPOINT or the model's url"
        )
    is_ours = endpoint.url in (None, model.url)
    reference, key = endpoint.api_key, None
    if not reference and model.api_key_env and is_ours:
        key = _variable(model.api_key_env, f"the api_key_env of model {endpoint.model!r}")
    elif not reference and settings.default_api_key and endpoint.url is None and model.url is None:
        key = settings.default_api_key.get_secret_value()
    return Access(url, reference or None, key, model, is_ours)


def route_to(
    endpoint: Endpoint, path: str, settings: Settings, reveal: Callable[[SecretRef], str], **bounds: Any
) -> Route:
    """Return how a model is asked on its route `path`. Raises SpecInvalid for one that has no URL.

    `reveal` returns the key behind a reference; `bounds` are those fields of a route that are the caller's.
    """
    access = access_to(endpoint, settings)
    model = access.model
    given = {name: value.get_secret_value() for name, value in model.headers.items()} if access.is_ours else {}
    headers = {name: _value(value, f"the header {name} of model {endpoint.model!r}") for name, value in given.items()}
    return Route(
        url=route_url(access.url, path, api_version=model.api_version),
        model=endpoint.model,
        api_key=reveal(access.reference) if access.reference else access.key,
        bounds=Bounds(model.concurrency, model.requests_per_minute, model.tokens_per_minute),
        extra=headers,
        secrets=tuple(_secrets(given, headers)),
        ca_file=model.ca_file if access.is_ours else None,
        max_answer=settings.max_answer,
        **bounds,
    )


def _value(given: str, what: str) -> str:
    return _variable(given.removeprefix(_VARIABLE), what) if given.startswith(_VARIABLE) else given


def _variable(name: str, what: str) -> str:
    """Return what the settings name by a variable."""
    if value := os.environ.get(name):
        return value
    raise Misconfigured(
        f"The environment variable {name}, which is {what} in the settings, is not set where the service runs"
    )


def _secrets(given: dict[str, str], headers: dict[str, str]) -> list[str]:
    """Return the values that nobody may see: those kept in variables, and those of headers that are named so."""
    secret = [name for name in given if given[name].startswith(_VARIABLE) or _SECRET_HEADER.search(name)]
    return [headers[name].removeprefix("Bearer ") for name in secret]
