"""Where a model is asked and by whose key: as its endpoint says, otherwise as the settings do."""

import os
from typing import NamedTuple

from core.endpoint import Endpoint, SecretRef
from core.errors import Misconfigured, SpecInvalid
from core.settings import ModelSettings, Settings


class Access(NamedTuple):
    """A URL, the reference of a request's key or else the service's own key, and the model's own settings."""

    url: str
    reference: SecretRef | None
    key: str | None
    model: ModelSettings


def access_to(endpoint: Endpoint, settings: Settings) -> Access:
    """Return where a model is asked. Raises SpecInvalid for one that has no URL, Misconfigured if its key is not set.

    The service's own keys go only to the URLs in its settings, not to one that came with a request.
    """
    model = settings.models.get(endpoint.model, ModelSettings())
    url = endpoint.url or model.url or settings.default_endpoint
    if url is None:
        raise SpecInvalid(
            f"model {endpoint.model!r} has no URL: give one, or set ASSAY_DEFAULT_ENDPOINT or the model's url"
        )
    reference, key = endpoint.api_key, None
    if not reference and model.api_key_env and endpoint.url in (None, model.url):
        key = _own_key(endpoint.model, model.api_key_env)
    elif not reference and settings.default_api_key and endpoint.url is None and model.url is None:
        key = settings.default_api_key.get_secret_value()
    return Access(url, reference or None, key, model)


def _own_key(model: str, variable: str) -> str:
    """Return the key that the settings name by a variable."""
    if key := os.environ.get(variable):
        return key
    raise Misconfigured(
        f"The environment variable {variable}, which is the api_key_env of model {model!r} in the settings, "
        "is not set where the service runs"
    )
