"""`python -m bench.long FORM`: a test of the suite in its long form, and its section of RELIABILITY.md.

What a test counts comes by its `record_property`, failures with the first line of what they say. A form with seeds
is run once for each; those that a ledger has without failures are not run again, so that it can be run in parts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from bench.reliability import table, verdict, write_section
from bench.report import machine


@dataclass(frozen=True)
class Form:
    """A test, the variables that set its size, what it shows, and with how many seeds it is run."""

    heading: str
    test: str
    shows: str
    sizes: Mapping[str, int]
    seeds: int = 1


FORMS: Final = {
    "life": Form(
        "The life of a job: `make life-test`",
        "tests/flows/test_life.py",
        "Users, workers, Prefect and the service do what they may, and die, in random order; no job leaves the "
        "documented ways, or ends otherwise than once.",
        {"ASSAY_LIVES": 1_000, "ASSAY_STEPS": 100},
    ),
    "http": Form(
        "Requests made up from the schema: `make http-test`",
        "tests/api/test_openapi.py",
        "Valid and broken requests to every operation of every face; no answer is from 500 on (but 501, where that is "
        "documented), and each is as the schema says.",
        {"ASSAY_CASES": 20},
        seeds=15,
    ),
    "secrets": Form(
        "Keys: `make secrets-test`",
        "tests/service/test_secrets.py",
        "Keys go in through every face and come back from a careless endpoint; then all files, databases, archives, "
        "answers, processes and what Prefect knows are searched for them.",
        {},
    ),
}


FIXED: Final = frozenset({"operations"})
"""What is counted alike whatever the seed."""


@dataclass(frozen=True)
class Ran:
    """A test that was run: how long it took, what it counted, and why it failed if it did."""

    name: str
    seconds: float
    counts: dict[str, str]
    failure: str | None


def main() -> None:
    """Run a form, print what came of it, and exit 1 if it failed."""
    options = _options()
    form = FORMS[options.form]
    sizes = {name: int(os.environ.get(name, default)) for name, default in form.sizes.items()}
    begun = time.monotonic()
    done = read_ledger(options.ledger, sizes) if options.ledger else {}
    for seed in range(1, form.seeds + 1):
        if seed in done and not _failures(done[seed]):
            continue
        if options.minutes and time.monotonic() - begun > options.minutes * 60:
            break
        done[seed] = run(form, sizes, seed)
        if options.ledger:
            _append(options.ledger, sizes, seed, done[seed])
    text = report(form, sizes, done)
    print(text)
    if options.write:
        write_section(options.write, form.heading, text)
    sys.exit(any(_failures(ran) for ran in done.values()))


def read_ledger(file: Path, sizes: Mapping[str, int]) -> dict[int, list[Ran]]:
    """Return what came of each seed that was run at those sizes, the last time that it was."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    notes = [note for note in map(json.loads, lines) if note["sizes"] == sizes]
    return {note["seed"]: [Ran(**ran) for ran in note["ran"]] for note in notes}


def _append(file: Path, sizes: Mapping[str, int], seed: int, ran: Iterable[Ran]) -> None:
    note = {"seed": seed, "sizes": sizes, "ran": [asdict(each) for each in ran]}
    with file.open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(note) + "\n")


def run(form: Form, sizes: Mapping[str, int], seed: int) -> list[Ran]:
    """Run a form's tests at those sizes, with that seed."""
    with tempfile.TemporaryDirectory(prefix="assay-long-") as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", form.test, "--timeout=0"]
        command += [f"--junitxml={results}", "-o", "junit_family=xunit1"]
        chosen = {name: str(size) for name, size in sizes.items()}
        subprocess.run(command, env=os.environ | chosen | {"ASSAY_SEED": str(seed)}, check=False)
        return list(read(results.read_text(encoding="utf-8"))) if results.exists() else []


def read(results: str) -> Iterator[Ran]:
    """Yield the tests in pytest's XML."""
    for case in ET.fromstring(results).iter("testcase"):
        counts = {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
        wrong = [*case.iter("failure"), *case.iter("error")]
        failure = wrong[0].get("message", "").partition("\n")[0] if wrong else None
        yield Ran(case.get("name", "").replace("_", " "), float(case.get("time", "0")), counts, failure)


def report(form: Form, sizes: Mapping[str, int], done: Mapping[int, Sequence[Ran]]) -> str:
    """Return what came of a form as Markdown, all seeds together."""
    named = [f"{name}={size}" for name, size in sizes.items()]
    named += [f"seeds {', '.join(map(str, sorted(done)))}"] if form.seeds > 1 else []
    rows = [(each.name, _counted(each.counts), f"{each.seconds:.0f}") for each in _summed(done.values())]
    return f"""
{form.shows}{f" {', '.join(named)}." if named else ""}

{table(("test", "what it counted", "s"), rows)}

{verdict([failure for ran in done.values() for failure in _failures(ran)])}

{machine()}
"""


def _failures(ran: Sequence[Ran]) -> list[str]:
    return [f"{each.name}: {each.failure}" for each in ran if each.failure] if ran else ["the tests could not be run"]


def _summed(runs: Iterable[Sequence[Ran]]) -> list[Ran]:
    """Return each test with what it counted and took in all runs; what all of them count alike is one and the same."""
    by_name: dict[str, list[Ran]] = {}
    for each in (each for ran in runs for each in ran):
        by_name.setdefault(each.name, []).append(each)
    return [
        Ran(name, sum(each.seconds for each in same), _added([each.counts for each in same]), None)
        for name, same in by_name.items()
    ]


def _added(counts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    names = sorted({name for each in counts for name in each}, key=lambda name: (name.startswith("answers"), name))
    found = {name: [each.get(name, "0") for each in counts] for name in names}
    return {
        name: values[0] if name in FIXED or len(values) == 1 else str(sum(map(int, values)))
        for name, values in found.items()
    }


def _counted(counts: Mapping[str, str]) -> str:
    return "; ".join(f"{value} {name}" for name, value in counts.items())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.long", description=__doc__)
    parser.add_argument("form", choices=FORMS)
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="where what came of each seed is kept")
    parser.add_argument("--minutes", type=float, help="after which no further seed is begun")
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
