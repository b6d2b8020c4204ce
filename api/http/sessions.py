"""Sessions of browsers: a key shown once at the login, then a cookie that this service has signed."""

import secrets
import time
from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Final

from starlette.requests import cookie_parser
from starlette.types import Scope

COOKIE: Final = "assay_session"
LASTS_S: Final = 7 * 24 * 3600
"""For so long a session opens the pages, if its key is still one of the service's."""

FOUND: Final = "assay.session"
"""Where a request keeps what was found of its session, which is looked up once."""


class Sessions:
    """Makes and knows the cookies of those who have shown one of `keys`; `sign` needs a secret of the service."""

    def __init__(self, keys: Sequence[str], sign: Callable[[bytes], str], ended: Container[str]) -> None:
        """All that is to be known of a session is in its cookie, unless its id is among those that were ended."""
        self._keys = [key.encode() for key in keys]
        self._sign = sign
        self._ended = ended

    @property
    def are_needed(self) -> bool:
        """Whether there are keys at all."""
        return bool(self._keys)

    def begin(self, key: str) -> str | None:
        """Return the cookie of a new session; None for what is no key."""
        given = _bytes(key.strip())
        matches = [compare_digest(given, known) for known in self._keys]  # all, so that the time tells nothing
        if not any(matches):
            return None
        named = f"{int(time.time()) + LASTS_S}.{secrets.token_urlsafe(16)}"
        return f"{named}.{self._signature(given, named)}"

    def of(self, scope: Scope) -> str | None:
        """Return the cookie of a request that belongs to a session; None without one."""
        if FOUND not in scope:
            cookie = _cookie_of(scope)
            scope[FOUND] = cookie if cookie and self._knows(cookie) else None
        found: str | None = scope[FOUND]
        return found

    @staticmethod
    def named(cookie: str) -> tuple[str, datetime]:
        """Return the id of a cookie's session, and when it expires, in UTC."""
        expires, session, _ = cookie.split(".")
        return session, datetime.fromtimestamp(int(expires), UTC).replace(tzinfo=None)

    def form_token(self, cookie: str | None) -> str:
        """Return what the forms of a session's pages send along; nothing where there are no sessions."""
        return self._sign(b"\0form\0" + cookie.encode()) if cookie else ""

    def allows(self, cookie: str | None, token: str) -> bool:
        """Tell whether a form is one of a page of this session; without keys all are."""
        return not self.are_needed or (
            cookie is not None and compare_digest(_bytes(token), self.form_token(cookie).encode())
        )

    def _knows(self, cookie: str) -> bool:
        named, _, signature = cookie.rpartition(".")
        if not (cookie.isascii() and (expires := named.partition(".")[0]).isdigit()):
            return False
        matches = [compare_digest(signature, self._signature(key, named)) for key in self._keys]
        return any(matches) and int(expires) > time.time() and self.named(cookie)[0] not in self._ended

    def _signature(self, key: bytes, named: str) -> str:
        return self._sign(b"\0session\0" + key + b"\0" + named.encode())


def _cookie_of(scope: Scope) -> str | None:
    cookies = (value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
    return next((cookie for each in cookies if (cookie := cookie_parser(each).get(COOKIE))), None)


def _bytes(given: str) -> bytes:
    return given.encode(errors="surrogatepass")  # a form can be in a charset that makes any text of it
