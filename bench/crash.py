"""`make crash-test KILLS=20 SEED=1 WORKERS=1 STORE=`: kill -9 of any process of a service at any moment, amid its jobs.

The scripted endpoint, in a process of its own, notes every call. Exits with 1 if a sample is missing or there twice, if
a call was paid again after it was recorded, or if a figure does not add up. Writes its section of RELIABILITY.md.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, TypeVar

from bench.distant import in_store
from bench.reliability import table, verdict, write_section
from bench.report import machine
from bench.trial import JOBS_AT_A_TIME, PARALLELISM, TOKENS_A_CALL, Findings, Kill, Moment, Trial
from bench.victims import Service, Victim, endpoint_process, free_port
from cli.children import LONGEST_BACKOFF_S, STEADY_S
from store.objects.place import place_of
from tests.around import end_in_order

T = TypeVar("T")

LATENCY_S: Final = 0.1
SAMPLES: Final = 1_000
LONGEST_WAIT_S: Final = 4.0
RECOVERY_S: Final = 3.0
WORKER_BACK_WITHIN_S: Final = 15.0
SECONDS_A_KILL: Final = 60.0
"""The whole test ends after so long for each death, and the time that its last jobs take."""

ODDS: Final[dict[Victim, int]] = {"worker": 7, "api": 3, "prefect": 4, "service": 4}
MOMENTS: Final[dict[Moment, int]] = {"any": 5, "promotion": 3, "aggregation": 3}
RECOVERY_SHARE: Final = 0.25
"""Of the deaths that another follows before the next request."""


def main() -> None:
    """Kill, print what came of it, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--store", action="store_true", help="results lie in the object store of `tests.objects`")
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    options = parser.parse_args()
    end_in_order()
    with (
        tempfile.TemporaryDirectory(prefix="assay-crash-", ignore_cleanup_errors=True) as home,
        endpoint_process(LATENCY_S) as endpoint,
    ):
        began = time.monotonic()
        settings = {"ASSAY_WORKERS": str(options.workers), **(in_store(Path(home)) if options.store else {})}
        found = torment(Path(home), endpoint, options.kills, options.seed, settings)
        text = report(found, options.seed, time.monotonic() - began, settings)
    print(text)
    if options.write:
        write_section(options.write, heading(settings), text)
    sys.exit(bool(found.failures))


def heading(settings: Mapping[str, str]) -> str:
    """Return the heading of the section about a service with such settings."""
    workers = settings["ASSAY_WORKERS"]
    several = "" if workers == "1" else f" of {workers} workers"
    store, variables = (" over an object store", " STORE=1") if "ASSAY_STORE" in settings else ("", "")
    return f"Sudden death{several}{store}: `make crash-test{f' WORKERS={workers}' if several else ''}{variables}`"


def torment(home: Path, endpoint: str, kills: int, seed: int, settings: Mapping[str, str]) -> Findings:
    """Kill so many processes of a service on `home`, then let its jobs come to their end."""
    chance = random.Random(seed)
    workers, store = int(settings["ASSAY_WORKERS"]), settings.get("ASSAY_STORE")
    deadline = time.monotonic() + kills * SECONDS_A_KILL
    reader = home / "reader" if store else home
    service = Service(home, free_port(), settings)

    def kill(victim: Victim) -> None:
        service.kill(victim, chance.randrange(workers) if victim == "worker" else 0)

    try:
        trial = Trial(
            service.url,
            reader / "results",
            endpoint,
            kill,
            samples=SAMPLES,
            jobs=JOBS_AT_A_TIME * workers,
            objects=place_of(store, reader),
        )
        followed = False
        while len(trial.found.kills) < kills and time.monotonic() < deadline:
            if not followed:
                trial.top_up()
            moment: Moment = "recovery" if followed else _draw(chance, MOMENTS)
            followed = not followed and chance.random() < RECOVERY_SHARE and len(trial.found.kills) + 1 < kills
            after_s = chance.uniform(0, RECOVERY_S if moment == "recovery" else LONGEST_WAIT_S)
            trial.strike(_draw(chance, ODDS), moment, after_s, awaited=not followed)
            print(_told(trial.found.kills[-1]), file=sys.stderr, flush=True)
        found = trial.finish()
    finally:
        service.stop()
    if len(found.kills) < kills:
        found.failures.append(f"there was time for {len(found.kills)} deaths of {kills}")
    found.failures += [
        f"{kill.resumed_s:.1f} s passed from the death of a worker to the next request"
        for number, kill in enumerate(found.kills)
        if kill.victim == "worker" and (kill.resumed_s or 0) > _allowed_s(found.kills[:number], kill)
    ]
    return found


def _allowed_s(before: Sequence[Kill], kill: Kill) -> float:
    """Return how long the next request may take; the supervisor lets a child wait that has died a short while ago."""
    recent = any(each.victim == kill.victim and kill.died_at - each.died_at < 2 * STEADY_S for each in before)
    return WORKER_BACK_WITHIN_S + (LONGEST_BACKOFF_S if recent else 0.0)


def report(found: Findings, seed: int, seconds: float, settings: Mapping[str, str]) -> str:
    """Return what came of the deaths as Markdown."""
    calls, tokens = (sum(getattr(each, name) for each in found.reports) for name in ("calls", "total_tokens"))
    back = [kill.resumed_s for kill in found.kills if kill.victim == "worker" and kill.resumed_s is not None]
    again = sum(each.calls for each in found.repaid)
    unrecorded = "in flight or less than a second old" if "ASSAY_STORE" in settings else "in flight"
    claims = [
        ("samples without both of their scores, or with a score twice", found.missing + found.duplicated, "0"),
        ("calls paid again after they were recorded", sum(len(each.wrong) for each in found.repaid), "0"),
        ("calls that the endpoint was asked", f"{found.asked:,}", ""),
        (f"of these paid again, having been {unrecorded} at a death", again, ""),
        ("calls in the results", f"{calls:,}", f"{found.asked - again:,}"),
        ("tokens in the results", f"{tokens:,}", f"{TOKENS_A_CALL * (found.asked - again):,}"),
        ("jobs in which `assay fsck` finds a difference", sum(bool(each.difference) for each in found.reports), "0"),
        ("seconds from a worker's death to the next request", _span(back), f"{WORKER_BACK_WITHIN_S:.0f}, see above"),
    ]
    rows = [
        (number, kill.victim, kill.moment, _seconds(kill.resumed_s), len(kill.death.in_flight), each.calls)
        for number, (kill, each) in enumerate(zip(found.kills, found.repaid, strict=True), start=1)
    ]
    return f"""
{len(found.kills)} deaths by kill -9 (seed {seed}) in {len(found.reports)} jobs of {found.samples:,} samples,
each generated and judged, with {PARALLELISM} calls at a time; workers: {settings["ASSAY_WORKERS"]}; {seconds:.0f} s.

{table(("", "found", "should be"), claims)}

{verdict(found.failures)}

{table(("", "victim", "moment", "s to the next request", "in flight", "paid again"), rows)}

{machine()}, load average {os.getloadavg()[1]:.1f}
"""


def _draw(chance: random.Random, odds: Mapping[T, int]) -> T:
    return chance.choices(list(odds), weights=list(odds.values()))[0]


def _told(kill: Kill) -> str:
    return f"{kill.victim:8} {kill.moment:12} {_seconds(kill.resumed_s)} s, {len(kill.death.in_flight)} in flight"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def _span(figures: Sequence[float]) -> str:
    return f"{min(figures):.1f} to {max(figures):.1f}, median {median(figures):.1f}" if figures else "-"


if __name__ == "__main__":
    main()
