"""Nugen's evaluations as the application knows them."""

import re
from typing import Final

from api.http.faces import Face
from api.nugen.routes import benchmarks, evaluations

NUGEN: Final = Face(
    name="nugen",
    paths=re.compile(r"/api/v3(/|$)"),
    routers=[each.router for each in (evaluations, benchmarks)],
    unsupported=501,
    no_key=403,
)
