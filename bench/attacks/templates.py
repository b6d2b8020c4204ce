"""Templates that try to take the worker's time or memory, as prompts of targets, of judges and of metrics."""

from collections.abc import Iterator
from typing import Final

from bench.attacks.jobs import Asked, Ended, attempts, native
from bench.attacks.site import Site, Try
from core.metric import StringCheck
from tests.scripted import Received, ScriptedEndpoint, by_default
from tests.tasks.specs import judge, model, recorded, spec
from tests.tasks.templates.hostile import ROW, from_grammar, known

RANDOM: Final = 120
LONGEST: Final = 10_000_000
"""Characters of a rendering, as SECURITY.md has it."""


def attack(site: Site) -> Iterator[Try]:
    """Have each template rendered in a job of its own."""
    templates = site.some([*known(), *from_grammar(RANDOM)])
    site.endpoint.script = by_default
    yield from attempts(site, [_asked(site.endpoint, *each) for each in enumerate(templates)])


def _asked(endpoint: ScriptedEndpoint, number: int, template: str) -> Asked:
    """Return a job with the template in the place that is its turn."""
    match number % 3:
        case 0:
            asked = spec(model(endpoint.url), [ROW], prompt=template)
        case 1:
            asked = spec(recorded("long"), [ROW], judge(endpoint.url, template))
        case _:
            check = StringCheck(name="same", left=template, operator="equals", right="x")
            asked = spec(recorded("long"), [ROW], check)
    return native(f"{template[:80]} #{number}", asked, lambda ended: _too_long(ended.site.endpoint.calls, ended))


def _too_long(calls: list[Received], _: Ended) -> str | None:
    longest = max((len(call["raw"]) for call in calls), default=0)
    calls.clear()
    return f"a request of {longest:,} bytes was made of it" if longest > 7 * LONGEST else None
