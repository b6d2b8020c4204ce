"""The page that says what went wrong, in words of the product, and leads back to the job that it is about."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from api.lists.damage import UNREADABLE
from web.render import page

DAMAGE: Final = frozenset(each.code for each in UNREADABLE)
DAMAGED: Final = "What is stored cannot be read"
HEADINGS: Final[Mapping[int, str]] = {
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "No page takes this",
    409: "Not possible as things are",
    413: "Too large",
    414: "Too large",
    500: "Assay failed at this",
    503: "Not possible just now",
    507: "No space is left",
}
OTHERS: Final = "This cannot be done as asked"
"""The heading of what is wrong with a request in another way."""

SENTENCES: Final[Mapping[int, str]] = {
    404: "No page has this address.",
    405: "What was sent is nothing that can be done at this address.",
    500: "The log of the service says more.",
}
"""What to say where nothing is known but the status."""

OF_A_JOB: Final = re.compile(r"(?:/jobs/([^/]+)/.|/judges/([^/]+)$)")


def error_page(scope: Scope, status: int, message: str, code: str | None) -> Response:
    """Return the page that says what went wrong; `code` is that of a core error."""
    phrase = HTTPStatus(status).phrase
    is_damage = code in DAMAGE
    return page(
        Request(scope),
        "error.html",
        status,
        heading=DAMAGED if is_damage else HEADINGS.get(status, OTHERS),
        message=SENTENCES.get(status, message) if message.lower() == phrase.lower() else message,
        is_damage=is_damage,
        job_id=None if status == 404 else _job_of(scope["path"]),
    )


def _job_of(path: str) -> str | None:
    """Return the job that a page is below of."""
    found = OF_A_JOB.match(path)
    return found and (found[1] or found[2])
