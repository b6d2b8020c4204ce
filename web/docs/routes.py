"""The API's own page, by Swagger UI, whose files come from the package fastapi-offline and not from elsewhere."""

from importlib.resources import files
from typing import Final, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from web.render import page

router = APIRouter(include_in_schema=False)

MEDIA_TYPES: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
CACHED: Final = {"Cache-Control": "max-age=3600"}


@router.get("/docs")
def show_docs(request: Request) -> Response:
    """Show every route of the API, where each can be tried."""
    return page(request, "docs.html")


@router.get("/docs/{name}")
def send_file(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> Response:
    """Send a file of Swagger UI."""
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    return Response(content, media_type=MEDIA_TYPES[name], headers=CACHED)
