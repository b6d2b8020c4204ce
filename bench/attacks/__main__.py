"""`make attack-test`: tries of every kind to get into a running service, or to stall it.

No try may succeed. Meanwhile `/health` is asked again and again, another job goes on, and the processes are weighed.
Writes its section of RELIABILITY.md; exits with 1 if a try succeeded, or the service suffered.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.http.body import LARGE
from bench.attacks import bodies, bombs, doors, hubs, injection, pages, sandbox, templates, urls
from bench.attacks.site import Site, Try, attacked
from bench.attacks.steady import Steady
from bench.attacks.watch import Seen, Watching
from bench.reliability import table, verdict, write_section
from bench.report import machine
from bench.victims import endpoint_process

HEADING: Final = "Attacks: `make attack-test`"
HEALTH_S: Final = 0.2
STANDSTILL_S: Final = 2.0
GROWTH_MB: Final = 300.0
ALONE_S: Final = 10.0

AREAS: Final[Mapping[str, tuple[Callable[[Site], Iterator[Try]], int]]] = {
    "sandbox": (sandbox.attack, 400),
    "URLs": (urls.attack, 250),
    "hubs": (hubs.attack, 40),
    "templates": (templates.attack, 200),
    "bodies and queries": (bodies.attack, 2_000),
    "bombs": (bombs.attack, 60),
    "Prefect's doors": (doors.attack, 40),
    "cross-site": (pages.attack, 60),
    "injection": (injection.attack, 100),
}
"""What carries the tries of an area out, and how many there are to be."""


@dataclass(frozen=True)
class Outcome:
    """What came of an area, and what the service was like meanwhile."""

    name: str
    tries: int
    successes: list[Try]
    seen: Seen
    seconds: float
    load: float
    notes: list[str] = field(default_factory=list)

    @property
    def grown(self) -> tuple[str, float]:
        """Return the process that grew most, and by how many MB."""
        return max(self.seen.grown_mb.items(), key=lambda each: each[1], default=("none", 0.0))


def main() -> None:
    """Try all, print what came of it, and write it down."""
    options = _options()
    with (
        endpoint_process(0.05) as steady_url,
        attacked(steady_url) as (site, supervisor),
        closing(Watching(site.url, supervisor, steady_url)) as watching,
    ):
        steady = Steady(site.http, steady_url)
        outcomes = [_alone(watching, steady)]
        for name in options.areas or AREAS:
            site.most = AREAS[name][1] if options.goals else options.most
            outcomes.append(_observed(name, site, watching, steady))
            print(_row(outcomes[-1]), *map(str, outcomes[-1].successes), sep="\n", file=sys.stderr, flush=True)
    failures = [failure for outcome in outcomes[1:] for failure in _failures(outcome)]
    text = report(outcomes, failures)
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)
    sys.exit(bool(failures))


def _alone(watching: Watching, steady: Steady) -> Outcome:
    """See what the service is like while nobody attacks it."""
    steady.go_on()
    seen = watching.during(lambda: time.sleep(ALONE_S))
    return Outcome("nothing", 0, [], seen, ALONE_S, os.getloadavg()[0])


def _observed(name: str, site: Site, watching: Watching, steady: Steady) -> Outcome:
    """Carry out the tries of an area while the service is watched."""
    attack, _ = AREAS[name]
    tries: list[Try] = []
    steady.go_on()
    _start_aside(site)
    begun = time.monotonic()
    seen = watching.during(lambda: tries.extend(attack(site)))
    steady.go_on()
    successes = [each for each in tries if each.success]
    notes, site.notes = site.notes, []
    return Outcome(name, len(tries), successes, seen, time.monotonic() - begun, os.getloadavg()[0], notes)


def _start_aside(site: Site) -> None:
    """Have the process of large bodies started, which ends when it is idle: what it loads is no growth of it."""
    site.http.post("/v2/evaluation/jobs", content=b'{"spec": "' + b"a" * LARGE + b'"}', headers=bodies.JSON)


def _failures(outcome: Outcome) -> Iterator[str]:
    for each in outcome.successes:
        yield f"{outcome.name}: {each.name!r}: {each.success}"
    seen, (process, grown) = outcome.seen, outcome.grown
    if seen.health_p99_s > HEALTH_S:
        yield f"{outcome.name}: `/health` took {1e3 * seen.health_p99_s:.0f} ms"
    if seen.standstill_s > STANDSTILL_S:
        yield f"{outcome.name}: another job stood still for {seen.standstill_s:.1f} s"
    if grown > GROWTH_MB:
        yield f"{outcome.name}: a process ({process}) grew by {grown:.0f} MB"
    for died in seen.died:
        yield f"{outcome.name}: {died} died"


def report(outcomes: list[Outcome], failures: list[str]) -> str:
    """Return what came of all areas as Markdown."""
    columns = ("tried", "times", "successes", "`/health`, p99 (most), ms", "standstill, s", "growth, MB", "load", "s")
    notes = "\n".join(f"- {note}" for outcome in outcomes for note in outcome.notes)
    return f"""
Each area is tried on a running service through its API; while it is, `/health` is asked every 20 ms from another
process (goal: {1e3 * HEALTH_S:.0f} ms), another job goes on whose endpoint notes the longest time without a call
(goal: {STANDSTILL_S:g} s), and all processes of the service are weighed (goal: none grows by more than
{GROWTH_MB:.0f} MB). *Load* is the machine's load average at the end of an area: what other processes do shows in the
times.

{table(columns, [_row(outcome) for outcome in outcomes])}

{verdict(failures)}

{notes}

{machine()}
"""


def _row(outcome: Outcome) -> tuple[object, ...]:
    process, grown = outcome.grown
    seen = outcome.seen
    health = f"{1e3 * seen.health_p99_s:.0f} ({1e3 * seen.health_most_s:.0f})"
    times = (health, f"{seen.standstill_s:.1f}", f"{grown:.0f} ({process})")
    return outcome.name, outcome.tries, len(outcome.successes), *times, f"{outcome.load:.1f}", f"{outcome.seconds:.0f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=__doc__)
    parser.add_argument("areas", nargs="*", help=f"of {', '.join(AREAS)}; all if none is named")
    parser.add_argument("--most", type=int, help="tries of an area, at most")
    parser.add_argument("--goals", action="store_true", help="about as many of each kind as there are to be, no more")
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
