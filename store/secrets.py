"""The keys in requests: taken out of a body, or masked in it, and found again by their references."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from core.endpoint import SecretRef
from core.errors import SpecInvalid
from core.job import random_id

KEY_FIELDS: Final = frozenset(
    {
        "apikey",
        "apitoken",
        "token",
        "accesstoken",
        "refreshtoken",
        "idtoken",
        "sessiontoken",
        "authtoken",
        "bearertoken",
        "hftoken",
        "externalapitoken",
        "secret",
        "clientsecret",
        "secretkey",
        "secretaccesskey",
        "awssecretaccesskey",
        "accesskey",
        "privatekey",
        "subscriptionkey",
        "ocpapimsubscriptionkey",
        "xapikey",
        "xgoogapikey",
        "password",
        "passwd",
        "authorization",
        "proxyauthorization",
        "cookie",
        "setcookie",
        "credential",
        "credentials",
    }
)
"""The fields of a request body whose values are keys, as `plain_name` has them."""

HEADER_FIELDS: Final = frozenset({"headers", "extraheaders", "defaultheaders"})
"""The fields that hold headers, which are for keys: all their texts are taken for some."""

URL_FIELDS: Final = re.compile("(url|endpoint|hub|base)$")
DATA_URL_FIELDS: Final = frozenset({"imageurl", "videourl", "audiourl"})
"""The fields of URLs that are asked; those of a prompt's images are data, which a signature may open."""

_SEPARATORS: Final = str.maketrans("", "", "-_ .")

QUERY_KEYS: Final = KEY_FIELDS | {"key", "sig", "signature", "code"}

DATA_FIELDS: Final = frozenset({"rows"})
"""The lists of a user's samples: a column `token` there is data, and is left as it is."""

STORED: Final = "store:"
MASK: Final = "******"
MAX_DEPTH: Final = 100

USER_INFO = re.compile(r"(\s*https?://)([^/?#\s]*)@", re.IGNORECASE)


def seal(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a copy of a request body with references in place of its keys, and the keys by id.

    User info in a URL is a key too: it leaves the URL, and becomes the `api_key` beside it if there
    is none. What looks like a reference already is sealed like any other text.
    Raises SpecInvalid if the body is nested deeper than `MAX_DEPTH`, or the query of a URL holds a key.
    """
    found: dict[str, str] = {}
    return _seal_mapping(body, found, 0), found


def mask(body: Mapping[str, Any], text: str = MASK, *, within: str = "") -> dict[str, Any]:
    """Return a copy of a sealed body in which each key is `text`, as it is shown to the user."""
    return {name: _mask(name, value, text, within) for name, value in body.items()}


def references(body: Any, within: str = "") -> set[str]:
    """Return the ids of the keys that a sealed body refers to."""
    match body:
        case dict():
            parts = [(name, value) for name, value in body.items() if not is_data(name, value)]
            found = [value for name, value in parts if holds_key(name, within) and is_reference(value)]
            own = {value.removeprefix(STORED) for value in found}
            return own.union(*(references(value, name) for name, value in parts))
        case list():
            return set().union(*(references(value, within) for value in body))
    return set()


def _seal_mapping(body: Mapping[str, Any], found: dict[str, str], depth: int, within: str = "") -> dict[str, Any]:
    sealed: dict[str, Any] = {}
    from_urls: list[str] = []
    for name, value in body.items():
        if is_data(name, value):
            sealed[name] = value
        elif holds_key(name, within) and isinstance(value, str) and value:
            sealed[name] = _refer(value, found)
        elif isinstance(value, str):
            _refuse_key_in_query(name, value, within)
            sealed[name], clear = _split_url(value)
            from_urls.extend(clear)
        else:
            sealed[name] = _seal(value, found, depth + 1, name)
    if from_urls and not sealed.get("api_key"):
        sealed["api_key"] = _refer(from_urls[0], found)
    return sealed


def _seal(value: Any, found: dict[str, str], depth: int, within: str) -> Any:
    if depth > MAX_DEPTH:
        raise SpecInvalid(f"The body is nested deeper than {MAX_DEPTH} levels")
    match value:
        case dict():
            return _seal_mapping(value, found, depth, within)
        case list():
            return [_seal(item, found, depth + 1, within) for item in value]
        case str():
            return _split_url(value)[0]
    return value


def _refer(clear: str, found: dict[str, str]) -> SecretRef:
    key_id = random_id("")
    found[key_id] = clear
    return STORED + key_id


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """Return a field's name in small letters, without what separates its words."""
    return name.lower().translate(_SEPARATORS)


def holds_key(name: str, within: str = "") -> bool:
    """Whether the value of a field, which lies within another, is a key."""
    return plain_name(name) in KEY_FIELDS or plain_name(within) in HEADER_FIELDS


def is_url_field(name: str) -> bool:
    """Whether a field says by its name that it holds a URL which is asked."""
    return URL_FIELDS.search(plain_name(name)) is not None


def _refuse_key_in_query(name: str, text: str, within: str) -> None:
    if not (is_url_field(name) and "?" in text) or plain_name(within) in DATA_URL_FIELDS:
        return
    for part in re.split("[&;]", text.partition("?")[2].partition("#")[0]):
        parameter = unquote(part.partition("=")[0])
        if plain_name(parameter) in QUERY_KEYS:
            raise SpecInvalid(
                "a URL's query holds a key, which would be kept and shown; give it as api_key", field=name
            )


def is_reference(value: Any) -> bool:
    """Whether a value of a sealed body stands for a key that is kept."""
    return isinstance(value, str) and value.startswith(STORED)


def _split_url(text: str) -> tuple[str, list[str]]:
    """Return a text without its user info if it is a URL, and the password or user that this held."""
    match = USER_INFO.match(text)
    if match is None:
        return text, []
    scheme, user_info = match.groups()
    user, _, password = user_info.partition(":")
    clear = unquote(password or user)
    return scheme + text[match.end() :], [clear] if clear else []


def _mask(name: str, value: Any, text: str, within: str) -> Any:
    match value:
        case None:
            return None
        case list() if not is_data(name, value):
            return [_mask("", item, text, name or within) for item in value]
        case dict():
            return mask(value, text, within=name or within)
    return text if holds_key(name, within) else value


def is_data(name: str, value: Any) -> bool:
    """Whether a field holds a user's samples, in which nothing is a key."""
    return name in DATA_FIELDS and isinstance(value, list)
