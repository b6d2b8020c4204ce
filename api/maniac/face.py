"""Maniac as the application knows it."""

import re
from typing import Final

from api.http.faces import Face
from api.maniac.routes import completions, containers, datasets, evaluators, runs

MANIAC: Final = Face(
    name="maniac",
    paths=re.compile(r"/(api/)?v1/(evaluators|evaluation/runs|containers|datasets|chat/completions)(/|$)"),
    routers=[each.router for each in (evaluators, runs, containers, completions, datasets)],
    also_below="/api",  # where older clients ask
    errors="error",
    unsupported=501,
)
