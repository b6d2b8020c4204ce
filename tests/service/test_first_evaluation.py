"""What docs/first-evaluation.md says is typed, and prints what it shows."""

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import WAIT_S, Served, assay
from tests.scripted import Answer, Received, ScriptedEndpoint, failure, last_content, text

DOCS = Path(__file__).parents[2] / "docs"
ROWS = [json.loads(line) for line in (DOCS / "examples/first/questions.jsonl").read_text().splitlines()]
BY_QUESTION = {row["question"]: (n, row) for n, row in enumerate(ROWS)}
PAGE = (DOCS / "first-evaluation.md").read_text()
STEPS = re.findall(r"^```console\n\$ (assay .*?)\n```\n\n```text\n(.*?)^```$", PAGE, re.M | re.S)
OTHERS = [line for fence in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in fence.splitlines()]


def models(call: Received) -> Answer:
    """Two models, of which the small one knows two thirds, and a judge who likes what is right."""
    said = last_content(call["body"])
    number, row = next(found for question, found in BY_QUESTION.items() if question in said)
    if call["body"]["model"] == "judge-3":
        if number == 7:
            return text("It is quite clear.")
        return text(json.dumps({"score": 5 if row["answer"] in said else 2, "feedback": "It names a city."}))
    if call["body"]["model"] == "small-1" and number == 11:
        return failure(400, "This request was blocked")
    knows = call["body"]["model"] == "large-2" or number % 3
    return text(f"The capital is {row['answer']}." if knows else "I do not know.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "first"
    shutil.copytree(DOCS / "examples/first", folder)
    return folder


def typed(command: str, folder: Path, **environment: str) -> str:
    """Carry out a command in a terminal of 80 columns, and return what it shows."""
    ours, theirs = pty.openpty()
    settings = os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"} | environment
    with (
        open(ours, "rb", buffering=0) as terminal,
        subprocess.Popen(
            assay(*shlex.split(command)), cwd=folder, env=settings, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE
        ) as process,
    ):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # which a terminal ends with
            while part := terminal.read(65_536):
                shown += part
        process.wait(WAIT_S)
    return shown.decode().replace("\r\n", "\n")


def carry_out(command: str, folder: Path, **environment: str) -> int:
    """Carry out a command, and return its exit code."""
    words = assay(*shlex.split(command.removeprefix("assay ")))
    return subprocess.run(
        words, cwd=folder, env=os.environ | environment, capture_output=True, timeout=WAIT_S
    ).returncode


@pytest.mark.thorough
def test_each_command_prints_what_is_shown(served: Served, folder: Path) -> None:
    with ScriptedEndpoint(models) as endpoint:
        spec = folder / "evaluation.yaml"
        spec.write_text(spec.read_text().replace("http://127.0.0.1:8000/v1", endpoint.url))
        told = [
            typed(command.removeprefix("assay "), folder, ASSAY_URL=served.url, MODEL_KEY="sk-first")
            for command, _ in STEPS
        ]
        others = [carry_out(command, folder, ASSAY_URL=served.url, MODEL_KEY="sk-first") for command in OTHERS]
    assert (len(STEPS), others) == (4, [0] * 5)
    assert (folder / "first.html").stat().st_size > 10_000
    assert told == [shown for _, shown in STEPS]
    assert {call["headers"]["authorization"] for call in endpoint.calls} == {"Bearer sk-first"}


def test_the_specification_and_the_questions_are_those_of_the_examples() -> None:
    assert f"```yaml\n{(DOCS / 'examples/first/evaluation.yaml').read_text()}```" in PAGE
    assert (
        (DOCS / "examples/first/questions.jsonl")
        .read_text()
        .startswith(re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)[0])
    )
