"""Where a model is asked and by whose key: as its endpoint says, otherwise as the settings do."""

from typing import NamedTuple

from core.endpoint import Endpoint, SecretRef
from core.errors import SpecInvalid
from core.settings import ModelSettings, Settings


class Access(NamedTuple):
    """A URL, the reference of its key or (of the settings alone) the key itself, and the model's own settings."""

    url: str
    reference: SecretRef | None
    key: str | None
    model: ModelSettings


def access_to(endpoint: Endpoint, settings: Settings) -> Access:
    """Return where a model is asked. Raises SpecInvalid for one that has no URL.

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
        reference = f"env:{model.api_key_env}"
    elif not reference and settings.default_api_key and endpoint.url is None and model.url is None:
        key = settings.default_api_key.get_secret_value()
    return Access(url, reference or None, key, model)
