"""Together's evaluations as the application knows them."""

from typing import Final

from api.http.faces import Face
from api.together.routes import evaluations, files, paths, uploads, whoami

TOGETHER: Final = Face(
    name="together",
    paths=paths.PATHS,
    routers=[each.router for each in (evaluations, files, uploads, whoami)],
    errors="error",
    invalid=400,
)
