"""HTTP answers to errors: the one place that knows the status code of a core error."""

import logging
from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.responses import JSONResponse

from core.errors import AssayError, Conflict, InvalidInput, NotFound, SpecInvalid, StorageFull

log = logging.getLogger(__name__)

CODES: Final[tuple[tuple[type[AssayError], int], ...]] = (
    (NotFound, 404),
    (Conflict, 409),
    (InvalidInput, 422),
    (StorageFull, 507),
    (AssayError, 500),
)


class Refusal(BaseModel):
    """An error as its answer says it."""

    detail: str


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": Refusal} for code in (400, 401, 404, 409, 413, 500, 504, 507)
}
"""What any route may answer besides what it is for; 422 has a list of details."""


def add_error_answers(app: FastAPI) -> None:
    """Have `app` answer errors as the faces document them."""
    app.add_exception_handler(AssayError, _answer_job_error)
    app.add_exception_handler(RequestValidationError, _answer_bad_request)
    app.add_exception_handler(Exception, _answer_bug)


def answer(status: int, detail: object) -> JSONResponse:
    """Return an error as NeMo's clients read it.

    They retry 409 and 5xx by themselves; ours are final, and the header says so.
    """
    final = status == 409 or status >= 500
    return JSONResponse({"detail": detail}, status, headers={"x-should-retry": "false"} if final else None)


def status_code(error: AssayError) -> int:
    """Return the HTTP status of a core error."""
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


def _answer_job_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AssayError)
    status = status_code(error)
    if status >= 500:
        log.error("%s: %s", error.code, error.message, exc_info=error)
    if status != 422:
        return answer(status, error.message)
    field = error.field if isinstance(error, SpecInvalid) else None
    loc = ["body", *(field.split(".") if field else [])]
    return answer(422, [{"loc": loc, "msg": error.message, "type": "value_error"}])


def _answer_bad_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return answer(422, [_detail(each, error.body) for each in error.errors()])


def _detail(error: dict[str, Any], body: object) -> dict[str, object]:
    # Without the input that FastAPI would repeat: it may hold keys.
    loc = place(error["loc"], body, missing=error["type"] == "missing")
    return {"loc": loc, "msg": error["msg"], "type": error["type"]}


def _answer_bug(_request: Request, _error: Exception) -> JSONResponse:
    # The server logs it.
    return answer(500, "Internal server error")
