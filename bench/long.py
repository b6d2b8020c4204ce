"""`python -m bench.long FORM`: a test of the suite in its long form, and its section of RELIABILITY.md.

What a test counts comes by its `record_property`, failures with the first line of what they say.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from bench.reliability import table, verdict, write_section
from bench.report import machine


@dataclass(frozen=True)
class Form:
    """A test, the variables that set its size, and what it shows."""

    heading: str
    test: str
    shows: str
    sizes: Mapping[str, int]


FORMS: Final = {
    "life": Form(
        "The life of a job",
        "tests/flows/test_life.py",
        "Users, workers, Prefect and the service do what they may, and die, in random order; no job leaves the "
        "documented ways, or ends otherwise than once.",
        {"ASSAY_LIVES": 1_000, "ASSAY_STEPS": 100},
    ),
    "http": Form(
        "Requests made up from the schema",
        "tests/api/test_openapi.py",
        "Valid and broken requests to every operation of every face; no answer is from 500 on (but 501, where that is "
        "documented), and each is as the schema says.",
        {"ASSAY_CASES": 100},
    ),
    "secrets": Form(
        "Keys",
        "tests/service/test_secrets.py",
        "Keys go in through every face and come back from a careless endpoint; then all files, databases, archives, "
        "answers, processes and what Prefect knows are searched for them.",
        {},
    ),
}


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
    ran = run(form, sizes)
    text = report(form, sizes, ran)
    print(text)
    if options.write:
        write_section(options.write, form.heading, text)
    sys.exit(any(each.failure for each in ran) or not ran)


def run(form: Form, sizes: Mapping[str, int]) -> list[Ran]:
    """Run a form's tests at those sizes."""
    with tempfile.TemporaryDirectory(prefix="assay-long-") as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", form.test, "--timeout=0"]
        command += [f"--junitxml={results}", "-o", "junit_family=xunit1"]
        subprocess.run(command, env=os.environ | {name: str(size) for name, size in sizes.items()}, check=False)
        return list(read(results.read_text(encoding="utf-8"))) if results.exists() else []


def read(results: str) -> Iterator[Ran]:
    """Yield the tests in pytest's XML."""
    for case in ET.fromstring(results).iter("testcase"):
        counts = {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
        wrong = [*case.iter("failure"), *case.iter("error")]
        failure = wrong[0].get("message", "").partition("\n")[0] if wrong else None
        yield Ran(case.get("name", "").replace("_", " "), float(case.get("time", "0")), counts, failure)


def report(form: Form, sizes: Mapping[str, int], ran: list[Ran]) -> str:
    """Return what came of a form as Markdown."""
    named = ", ".join(f"{name}={size}" for name, size in sizes.items())
    rows = [(each.name, _counted(each.counts), f"{each.seconds:.0f}") for each in ran]
    failures = [f"{each.name}: {each.failure}" for each in ran if each.failure]
    return f"""
{form.shows}{f" {named}." if named else ""}

{table(("test", "what it counted", "s"), rows)}

{verdict(failures if ran else ["the tests could not be run"])}

{machine()}
"""


def _counted(counts: Mapping[str, str]) -> str:
    return "; ".join(f"{value} {name}" for name, value in counts.items())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.long", description=__doc__)
    parser.add_argument("form", choices=FORMS)
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
