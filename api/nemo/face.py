"""NeMo Evaluator as the application knows it."""

import re
from typing import Final

from api.http.faces import Face
from api.nemo.routes import entities, live, namespaces, platform, v1, v1_results, v2

NEMO: Final = Face(
    name="nemo",
    paths=re.compile(r"/v1/evaluation/(targets|configs|jobs|results|live)(/|$)|/v1/(jobs|namespaces)(/|$)|/v2(/|$)"),
    routers=[each.router for each in (entities, live, v1, v1_results, platform, namespaces, v2)],
)
