"""RELIABILITY.md: a section for each command that writes there, replaced at its next run."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

TITLE = "# Reliability\n\nWhat was tried, and what came of it. Each section is written by the command in its heading.\n"


def write_section(file: Path, heading: str, text: str) -> None:
    """Put a section in the place of the one with its heading, or at the end."""
    before = file.read_text() if file.exists() else TITLE
    head, *sections = before.split("\n## ")
    kept = {section.partition("\n")[0]: section.partition("\n")[2] for section in sections}
    kept[heading] = f"\n{text.strip()}\n"
    file.write_text(head.rstrip() + "\n" + "".join(f"\n## {name}\n{body}" for name, body in kept.items()))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def verdict(failures: Sequence[str]) -> str:
    """Return what failed as a list, or that nothing did."""
    return "\n".join(f"- FAILED: {each}" for each in failures) or "Nothing failed."


class Found(Protocol):
    """What came of a trial."""

    failures: list[str]


F = TypeVar("F", bound=Found)


def try_faults(
    name: str,
    about: str,
    faults: int,
    inject: Callable[[Path, int, int], F],
    report: Callable[[F, int], str],
    heading: str,
) -> None:
    """Inject the faults of `bench.NAME` in a home of their own, print what came of them, and write it down.

    `inject` takes the home, how many and the seed; `report` what it found and the seed. Exits with 1 if any failed.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=about)
    parser.add_argument("--faults", type=int, default=faults)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=f"assay-{name}-") as home:
        found = inject(Path(home), options.faults, options.seed)
    text = report(found, options.seed)
    print(text)
    if options.write:
        write_section(options.write, heading, text)
    sys.exit(bool(found.failures))
