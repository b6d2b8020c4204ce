"""From a template and its values to a page, with the headers that keep it to this service."""

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.http.state import State, current_state
from web import text
from web.links import sample_url

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "object-src 'none'; img-src 'self' data:",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Of every page: it loads from here alone, stands in no other site's frame, and leaves nothing in a cache."""


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(text.FILTERS, sample_url=sample_url)
    return environment


ENVIRONMENT: Final = _environment()


def compile_templates() -> None:
    """Make all templates ready, which else the first visit to each page waits for."""
    for name in ENVIRONMENT.list_templates(extensions=["html"]):
        ENVIRONMENT.get_template(name)


def page(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Return a page; every template finds who is signed in, and the token that forms send along."""
    state: State = current_state(request)
    cookie = state.sessions.of(request.scope)
    shown = ENVIRONMENT.get_template(template).render(
        values,
        path=request.url.path,
        signed_in=cookie is not None,
        may_read=cookie is not None or not state.sessions.are_needed,
        form_token=state.sessions.form_token(cookie),
    )
    return HTMLResponse(shown, status, headers=HEADERS)
