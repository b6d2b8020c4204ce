"""The keys in requests: taken out of a body, kept encrypted, and found again by their references."""

import hmac
import os
import re
import secrets
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.endpoint import SecretRef
from core.errors import Misconfigured, NotFound, ServiceError, SpecInvalid
from core.job import random_id, utcnow
from store.db.connect import reading
from store.db.tables import secrets as keys
from store.files.atomic import make_private

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

Owner = Literal["job", "target", "config", "evaluator", "container"]
"""What a key is kept for; it goes with its owner."""

STORED: Final = "store:"
MASK: Final = "******"
MAX_DEPTH: Final = 100

USER_INFO = re.compile(r"(\s*https?://)([^/?#\s]*)@", re.IGNORECASE)
NONCE_BYTES = 12


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
            parts = [(name, value) for name, value in body.items() if not _is_data(name, value)]
            found = [value for name, value in parts if holds_key(name, within) and is_reference(value)]
            own = {value.removeprefix(STORED) for value in found}
            return own.union(*(references(value, name) for name, value in parts))
        case list():
            return set().union(*(references(value, within) for value in body))
    return set()


def keep(connection: sa.Connection, kind: Owner, owner_id: str, ciphertexts: Mapping[str, bytes]) -> None:
    """Record the ciphertexts of an owner's keys, by id."""
    owner = {"owner_kind": kind, "owner_id": owner_id, "created_at": utcnow()}
    rows = [{"id": key_id, "ciphertext": ciphertext, **owner} for key_id, ciphertext in ciphertexts.items()]
    if rows:
        connection.execute(sa.insert(keys), rows)


def forget(connection: sa.Connection, kind: Owner, owner_id: str, *, but: Collection[str] = ()) -> None:
    """Delete an owner's keys, except those with an id in `but`."""
    owned = (keys.c.owner_kind == kind, keys.c.owner_id == owner_id)
    connection.execute(sa.delete(keys).where(*owned, keys.c.id.not_in(but)))


def any_kept(engine: sa.Engine) -> bool:
    """Whether any key is stored."""
    with reading(engine) as connection:
        return connection.scalar(sa.select(keys.c.id).limit(1)) is not None


class Vault:
    """Encrypts keys for the secrets table, and reveals what a reference stands for."""

    def __init__(self, engine: sa.Engine, key: bytes) -> None:
        self._engine = engine
        self._cipher = AESGCM(key)
        self._key = key

    def encrypt(self, secrets: Mapping[str, str]) -> dict[str, bytes]:
        """Return the ciphertexts of keys by id; each can be read under its own id only."""
        return {key_id: self._encrypt(key_id, clear) for key_id, clear in secrets.items()}

    def reveal(self, ref: SecretRef) -> str:
        """Return the key that `store:ID` or `env:NAME` stands for.

        Raises NotFound if it is not there, and ServiceError if it was encrypted with another key.
        """
        match ref.partition(":"):
            case "store", _, key_id:
                return self._decrypt(key_id)
            case "env", _, name:
                return _from_environment(name)
        # The reference is not repeated: it may be a key that stands in the wrong place.
        raise NotFound("A key is named by neither store:ID nor env:NAME")

    def problem(self) -> str | None:
        """Return why what is stored cannot be decrypted, and what to do; None if the newest of it can."""
        with reading(self._engine) as connection:
            newest = connection.scalar(sa.select(keys.c.id).order_by(keys.c.created_at.desc()).limit(1))
        try:
            if newest is not None:
                self._decrypt(newest)
        except (NotFound, ServiceError) as error:
            return error.message
        return None

    def fingerprint(self, data: bytes) -> str:
        """Return a digest of what may hold keys: without this vault's key nothing can be learnt from it."""
        return hmac.digest(self._key, data, "sha256").hex()

    def unseal(self, body: Mapping[str, Any], *, within: str = "") -> dict[str, Any]:
        """Return a copy of a sealed body with its keys in clear. Raises as `reveal` does."""
        return {name: self._unseal(name, value, within) for name, value in body.items()}

    def _unseal(self, name: str, value: Any, within: str) -> Any:
        match value:
            case list() if not _is_data(name, value):
                return [self._unseal("", item, name or within) for item in value]
            case dict():
                return self.unseal(value, within=name or within)
        return self.reveal(value) if holds_key(name, within) and is_reference(value) else value

    def _encrypt(self, key_id: str, clear: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, clear.encode(errors="surrogatepass"), key_id.encode())

    def _decrypt(self, key_id: str) -> str:
        with reading(self._engine) as connection:
            ciphertext = connection.scalar(sa.select(keys.c.ciphertext).where(keys.c.id == key_id))
        if ciphertext is None:
            raise NotFound(f"The key store:{key_id} is no longer kept; send it again with a new job")
        nonce, sealed = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
        try:
            clear = self._cipher.decrypt(nonce, sealed, key_id.encode())
        except InvalidTag:
            raise ServiceError(
                f"The key store:{key_id} cannot be decrypted: ASSAY_SECRET_KEY, or without it the file secret.key in "
                "ASSAY_HOME, is not what it was encrypted with; put the old one back, or send the key again"
            ) from None
        return clear.decode(errors="surrogatepass")


def load_key(setting: str | None, home: Path, *, needed: bool = False) -> bytes:
    """Return the 32 bytes that encrypt stored keys: derived from `setting`, or else kept in `home`.

    The file `secret.key` is made, for its owner alone, where there is none; processes that start at
    once agree on one. Raises Misconfigured if it is damaged, or not there and `needed` for what it has encrypted.
    """
    file = home / "secret.key"
    if needed and not setting and not file.exists():
        raise Misconfigured(
            f"{file} is missing, and keys are stored that it has encrypted: restore it from a backup, or set "
            "ASSAY_SECRET_KEY, to the old value if it was set before, else to any new one and send those keys again"
        )
    text = setting or _key_file(file)
    return HKDF(SHA256(), length=32, salt=None, info=b"assay stored keys").derive(text.encode())


def _from_environment(name: str) -> str:
    clear = os.environ.get(name)
    if not clear:
        raise NotFound(f"The environment variable {name} is not set where the service runs")
    return clear


def _key_file(path: Path) -> str:
    make_private(path, secrets.token_hex(32))
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise Misconfigured(f"{path} is damaged: it should hold 64 hexadecimal digits; restore it from a backup")
    return text


def _seal_mapping(body: Mapping[str, Any], found: dict[str, str], depth: int, within: str = "") -> dict[str, Any]:
    sealed: dict[str, Any] = {}
    from_urls: list[str] = []
    for name, value in body.items():
        if _is_data(name, value):
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
        case list() if not _is_data(name, value):
            return [_mask("", item, text, name or within) for item in value]
        case dict():
            return mask(value, text, within=name or within)
    return text if holds_key(name, within) else value


def _is_data(name: str, value: Any) -> bool:
    return name in DATA_FIELDS and isinstance(value, list)
