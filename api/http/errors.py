"""HTTP answers to errors: the one place that knows the status code of a core error, in the shape of its face."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from api.http.faces import Face, face_of, is_for_people
from core.errors import (
    AssayError,
    Conflict,
    InvalidInput,
    NotFound,
    SpecInvalid,
    StorageFailed,
    StorageFull,
    Unsupported,
)

log = logging.getLogger(__name__)

CODES: Final[tuple[tuple[type[AssayError], int], ...]] = (
    (NotFound, 404),
    (Conflict, 409),
    (InvalidInput, 422),
    (StorageFull, 507),
    (StorageFailed, 503),
    (AssayError, 500),
)

KINDS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request_error", "invalid_parameter"),
    401: ("authentication_error", "unauthorized"),
    403: ("permission_error", "forbidden"),
    404: ("not_found_error", "not_found"),
    405: ("invalid_request_error", "method_not_allowed"),
    409: ("conflict_error", "conflict"),
    413: ("invalid_request_error", "too_large"),
    422: ("invalid_request_error", "validation_error"),
    429: ("rate_limit_error", "rate_limited"),
    501: ("not_implemented_error", "not_implemented"),
    502: ("upstream_error", "upstream_unavailable"),
}
"""The `type` and `code` of an error by its status; all others are internal errors."""


MOST_DETAILS: Final = 20
LONGEST_NAME: Final = 200
LONGEST_MESSAGE: Final = 2_000
"""How much an answer says of what is wrong with a request."""

TAGGING: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})
"""The errors of the field that tells which of several forms a part of a request has."""


ErrorPage = Callable[[Scope, int, str, str | None], Response]
"""Makes the page that says an error, from its status, message and code; it is the application's `state.error_page`."""


class Refusal(BaseModel):
    """An error as its answer says it."""

    detail: str


class ErrorData(BaseModel):
    """What went wrong, and in which parameter."""

    message: str
    type: str
    param: str | None
    code: str
    details: list[dict[str, Any]] | None


class ErrorRefusal(BaseModel):
    """An error as the faces say it whose errors are `error`."""

    error: ErrorData


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": Refusal} for code in (400, 401, 403, 404, 409, 413, 500, 501, 503, 504, 507)
}
"""What any route may answer besides what it is for; 422 has a list of details."""

ERROR_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": ErrorRefusal} for code in (400, 401, 403, 404, 409, 413, 422, 429, 500, 501, 502, 503, 507)
}
"""The same for the faces that say `{"error"}`."""


def add_error_answers(app: FastAPI) -> None:
    """Have `app` answer errors as the faces document them."""
    app.add_exception_handler(AssayError, _answer_job_error)
    app.add_exception_handler(RequestValidationError, _answer_bad_request)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_bug)


def answer(scope: Scope, status: int, detail: str | list[dict[str, Any]], code: str | None = None) -> Response:
    """Return an error in the shape of the face that a request's path belongs to, or as a page.

    `detail` is a message, or what is wrong with which fields; `code` is that of a core error. Clients retry 409 and
    5xx by themselves; ours are final, and the header says so.
    """
    face = face_of(scope)
    detail = detail[:LONGEST_MESSAGE] if isinstance(detail, str) else detail
    status = face.invalid if status == 422 else status
    if is_for_people(scope):
        page: ErrorPage = scope["app"].state.error_page
        return page(scope, status, detail if isinstance(detail, str) else _message(detail), code)
    final = status == 409 or status >= 500
    headers = {"x-should-retry": "false"} if final else None
    return JSONResponse(_body(face, status, detail), status, headers=headers)


def status_code(error: AssayError, face: Face) -> int:
    """Return the HTTP status of a core error."""
    if isinstance(error, Unsupported):
        return face.unsupported
    return next(code for kind, code in CODES if isinstance(error, kind))


def place(loc: Sequence[int | str], body: object, *, missing: bool = False) -> list[int | str]:
    """Return `loc` without the parts that are not in the request, such as the tags of a union.

    What is `missing` cannot be in the request: then the last part stays.
    """
    if loc[0] != "body" or not isinstance(body, dict | list):
        return list(loc)
    kept: list[int | str] = ["body"]
    for part in loc[1:]:
        match body, part:
            case dict(), str() if part in body:
                body = body[part]
            case list(), int() if part < len(body):
                body = body[part]
            case _:
                continue
        kept.append(part)
    return [*kept, loc[-1]] if missing else kept


def _body(face: Face, status: int, detail: str | list[dict[str, Any]]) -> dict[str, Any]:
    match face.errors:
        case "error":
            return {"error": _error(status, detail)}
        case "both":
            return {"detail": detail, "error": _error(status, detail)}
        case _:
            return {"detail": detail}


def _error(status: int, detail: str | list[dict[str, Any]]) -> dict[str, Any]:
    kind, code = KINDS.get(status, ("internal_error", "internal_error"))
    if isinstance(detail, str):
        return {"message": detail, "type": kind, "param": None, "code": code, "details": None}
    param = _param(detail[0])
    return {"message": _message(detail), "type": kind, "param": param, "code": code, "details": detail}


def _message(details: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{_param(each) or 'the request'}: {each['msg']}" for each in details)


def _param(detail: Mapping[str, Any]) -> str | None:
    """Return the dotted path of a field in the request; where broken JSON breaks off is none."""
    path = [] if detail["type"] == "json_invalid" else detail["loc"][1:]
    return ".".join(map(str, path)) or None


def _answer_job_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AssayError)
    status = status_code(error, face_of(request.scope))
    if status >= 500 and status != 501:
        log.error("%s: %s", error.code, error.message, exc_info=error)
    if status != 422:
        return answer(request.scope, status, error.message, error.code)
    field = error.field if isinstance(error, SpecInvalid) else None
    loc = ["body", *(field.split(".") if field else [])]
    return answer(request.scope, 422, [{"loc": loc, "msg": error.message[:LONGEST_MESSAGE], "type": "value_error"}])


def _answer_bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = _without_echoes(error.errors())
    details = [_detail(each, error.body) for each in errors[:MOST_DETAILS]]
    if left := len(errors) - len(details):
        details.append({"loc": ["body"], "msg": f"and {left:,} more", "type": "too_many_errors"})
    return answer(request.scope, 422, details)


def _without_echoes(errors: Sequence[Any]) -> list[Any]:
    """Leave out that a list is too short where it is so because something in it was refused."""
    places = [tuple(each["loc"]) for each in errors]
    return [
        each
        for each, place in zip(errors, places, strict=True)
        if each["type"] != "too_short"
        or not any(len(other) > len(place) and other[: len(place)] == place for other in places)
    ]


def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = answer(request.scope, error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _detail(error: dict[str, Any], body: object) -> dict[str, object]:
    # Without the input that FastAPI would repeat: it may hold keys.
    loc = place(error["loc"], body, missing=error["type"] == "missing")
    if error["type"] in TAGGING:
        loc.append(error["ctx"]["discriminator"].strip("'"))
    shown = [part[:LONGEST_NAME] if isinstance(part, str) else part for part in loc]
    return {"loc": shown, "msg": error["msg"][:LONGEST_MESSAGE], "type": error["type"]}


def _answer_bug(request: Request, _error: Exception) -> Response:
    # The server logs it.
    return answer(request.scope, 500, "Internal server error")
