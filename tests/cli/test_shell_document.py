"""The commands of docs/shell.md and docs/recipes.md are commands, with options that there are."""

import re
import shlex
from pathlib import Path

import pytest

from cli.main import app

DOCS = Path(__file__).parents[2] / "docs"


def commands(document: str) -> list[str]:
    fences = re.findall(r"^```sh\n(.*?)^```$", (DOCS / document).read_text(), re.MULTILINE | re.DOTALL)
    return [line.partition(" #")[0].strip() for fence in fences for line in fence.splitlines()]


COMMANDS = commands("shell.md")


@pytest.mark.parametrize("command", [*COMMANDS, *commands("recipes.md")])
def test_a_command_of_the_document_is_understood(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "assay"
    app.parse_args(arguments, exit_on_error=False, print_error=False)


def test_every_command_is_in_the_document() -> None:
    named = {shlex.split(command)[1] for command in COMMANDS}
    assert {name for name in app if not name.startswith("-")} - named == {"demo"}
