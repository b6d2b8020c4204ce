"""The native API as the application knows it."""

import re
from typing import Final

from api.http.faces import Face
from api.native.routes import comparisons, files, jobs, samples, verdicts

NATIVE: Final = Face(
    name="assay",
    paths=re.compile(r"/api/assay(/|$)"),
    routers=[each.router for each in (jobs, samples, comparisons, files, verdicts)],
)
