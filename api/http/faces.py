"""Which face a path belongs to: it decides the shape of errors, and their status codes."""

import re
from typing import Final, Literal

Owner = Literal["nemo", "maniac", "together", "nugen", "assay", "nobody"]

_PATHS: Final[tuple[tuple[Owner, re.Pattern[str]], ...]] = (
    (
        "nemo",
        re.compile(r"/v1/evaluation/(targets|configs|jobs|results|live)(/|$)|/v1/(jobs|namespaces)(/|$)|/v2(/|$)"),
    ),
    ("maniac", re.compile(r"/(api/)?v1/(evaluators|evaluation/runs|containers|datasets|chat/completions)(/|$)")),
    ("together", re.compile(r"/v1/(v1|evaluations?|files|whoami)(/|$)|/v3/whoami/?$|/uploads/")),
    ("nugen", re.compile(r"/api/v3(/|$)")),
    ("nobody", re.compile(r"/(api/)?v1(/|$)")),
)


def owner_of(path: str) -> Owner:
    """Return whose a path is; of the paths below /v1 that no face has, nobody's."""
    return next((owner for owner, pattern in _PATHS if pattern.match(path)), "assay")
