"""The commands of docs/shell.md are commands, with options that there are."""

import re
import shlex
from pathlib import Path

import pytest

from cli.main import app

DOCUMENT = (Path(__file__).parents[2] / "docs" / "shell.md").read_text()
COMMANDS = [
    line.partition(" #")[0].strip()
    for fence in re.findall(r"^```sh\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    for line in fence.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_document_is_understood(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "assay"
    app.parse_args(arguments, exit_on_error=False, print_error=False)


def test_every_command_is_in_the_document() -> None:
    named = {shlex.split(command)[1] for command in COMMANDS}
    assert {name for name in app if not name.startswith("-")} - named == {"demo"}
