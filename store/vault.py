"""The keys of requests at rest: encrypted in a table, each with its owner, and revealed by their references."""

import hmac
import os
import re
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.endpoint import SecretRef
from core.errors import Misconfigured, NotFound, ServiceError
from core.job import utcnow
from store.db.connect import reading
from store.db.tables import secrets as keys
from store.files.atomic import make_private
from store.secrets import holds_key, is_data, is_reference

Owner = Literal["job", "target", "config", "evaluator", "container"]
"""What a key is kept for; it goes with its owner."""

NONCE_BYTES: Final = 12


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
            case list() if not is_data(name, value):
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
