"""The keys that a job's models are asked with, which nothing that it writes may show."""

from collections.abc import Iterable

from core.endpoint import SecretRef
from store.secrets import MASK
from store.vault import Vault


class Keys:
    """The keys that were revealed for a job so far."""

    def __init__(self, vault: Vault) -> None:
        """Begin with none; the `vault` keeps those that came with requests."""
        self._vault = vault
        self._revealed: dict[str, str] = {}

    def reveal(self, reference: SecretRef) -> str:
        """Return the key behind a reference."""
        if reference not in self._revealed:
            self._revealed[reference] = self._vault.reveal(reference)
        return self._revealed[reference]

    def add(self, keys: Iterable[str | None]) -> None:
        """Take note of keys that came from elsewhere."""
        self._revealed |= {key: key for key in keys if key}

    def masked(self, text: str) -> str:
        """Return `text` without the keys that were revealed so far."""
        for key in list(self._revealed.values()):
            text = text.replace(key, MASK)
        return text
