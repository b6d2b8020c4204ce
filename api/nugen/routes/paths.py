"""Where the routes lie: each path with a slash at its end and without, since clients do not follow redirects."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter

PREFIX: Final = "/api/v3"


class EitherWay(APIRouter):
    """Serves each of its paths also with a slash at the end; the schema shows it without."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route twice."""
        super().add_api_route(path, endpoint, **options)
        super().add_api_route(f"{path}/", endpoint, **{**options, "include_in_schema": False})
