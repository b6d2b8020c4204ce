"""RELIABILITY.md: a section for each command that writes there, replaced at its next run."""

from collections.abc import Iterable, Sequence
from pathlib import Path

TITLE = "# Reliability\n\nWhat was tried, and what came of it. The commands named below write this file.\n"


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
