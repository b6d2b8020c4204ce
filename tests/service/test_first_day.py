"""A newcomer's first day: from a local file to a decision, on a service with nothing but its defaults.

The commands are typed in a folder that has packages called as ours, and find the service by its home.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.main import answer
from tests.conftest import WAIT_S, Served, assay, deaf, namesakes
from tests.scripted import Answer, Received, ScriptedEndpoint, by_default, failure, last_content, text
from tests.service.prefect_api import Prefect, job_of

N = 40
SPEC = """\
targets: [{{kind: model, endpoint: {{url: "{url}", model: {name}, api_key: "env:MODEL_KEY"}}}}]
tasks:
  - name: qa
    dataset: {{kind: files, url: ./rows.jsonl}}
    prompts: {{target: {{body: {{messages: [{{role: user, content: "{{{{item.question}}}}"}}]}}}}}}
    metrics:
      - type: string-check
        name: correct
        left: "{{{{sample.output_text}}}}"
        operator: equals
        right: "{{{{item.answer}}}}"
params: {{max_retries: 0}}
"""


class Told(NamedTuple):
    """What a command ended with, and what it printed."""

    code: int
    out: str
    err: str


class Day:
    """The folder of the newcomer, and the models that they have."""

    def __init__(self, folder: Path, home: Path, strong: ScriptedEndpoint, weak: ScriptedEndpoint) -> None:
        self.folder = folder
        self.settings = {"ASSAY_HOME": str(home), "MODEL_KEY": "sk-day"}
        self.weak = weak
        rows = ({"question": f"q{n} ANSWER: a{n}", "answer": f"a{n}", "odd": str(n % 2)} for n in range(N))
        (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        for name, model in (("strong", strong), ("weak", weak)):
            (folder / f"{name}.yaml").write_text(SPEC.format(url=model.url, name=name))

    def types(self, command: str) -> Told:
        """Carry out a command in a process of its own, begun as cron would."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        done = subprocess.run(
            assay(*shlex.split(command)),
            cwd=self.folder,
            env=clean | self.settings,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            preexec_fn=deaf,
        )
        return Told(done.returncode, done.stdout, done.stderr)


def is_broken(call: Received) -> bool:
    return re.match(r"q[048] ", last_content(call["body"])) is not None


def weakly(call: Received) -> Answer:
    """Answer every other question wrongly, and three with an error."""
    number = int(re.findall(r"q(\d+)", last_content(call["body"]))[0])
    return failure(400, "overlong") if is_broken(call) else by_default(call) if number % 2 else text("no")


@pytest.fixture(scope="module")
def day(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = namesakes(tmp_path_factory.mktemp("day"))
    with ScriptedEndpoint() as strong, ScriptedEndpoint(weakly) as weak:
        yield Day(folder, served.home, strong, weak)
    assert not list(folder.rglob("*.taken"))


@pytest.fixture(scope="module")
def first(day: Day) -> dict[str, Told]:
    """The first runs of both models."""
    return {name: day.types(f"run {name}.yaml --name day-{name}") for name in ("strong", "weak")}


@pytest.fixture
def types(
    day: Day, first: dict[str, Told], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[str], Told]:
    """Carry out a command in this process, after the first runs."""
    monkeypatch.chdir(day.folder)
    monkeypatch.delenv("ASSAY_URL", raising=False)
    for name, value in day.settings.items():
        monkeypatch.setenv(name, value)

    def carry_out(command: str) -> Told:
        code = answer(shlex.split(command))
        return Told(code, *capfd.readouterr())

    return carry_out


def test_a_run_over_a_local_file_ends_with_its_figures(first: dict[str, Told]) -> None:
    code, out, err = first["strong"]
    assert (code, err.splitlines()[-1]) == (0, "completed")
    heading, figures = (line.split("\t") for line in out.splitlines())
    row = dict(zip(heading, figures, strict=True))
    assert (row["metric"], row["mean"], row["count"]) == ("correct", "1.0", str(N))


def test_what_could_not_be_scored_is_told_and_not_scored(first: dict[str, Told]) -> None:
    code, out, _ = first["weak"]
    heading, figures = (line.split("\t") for line in out.splitlines())
    outcomes = json.loads(dict(zip(heading, figures, strict=True))["outcomes"])
    assert (code, outcomes) == (0, {"scored": 37, "target_error": 3})


def test_the_second_day_goes_by_another_name_and_sends_no_file_again(types: Callable[[str], Told]) -> None:
    before = types("files").out
    again = types("run strong.yaml --name day-strong --json")
    assert again.code == 0
    name = json.loads(again.out)["job"]["name"]
    assert re.fullmatch(r"day-strong-\w{6}", name)
    assert f"is called {name}: there is a day-strong already" in again.err
    assert types("files").out == before
    assert types(f"run --follow {name}").out == types("run --follow day-strong").out


def test_the_better_model_is_told_by_an_exit_code(types: Callable[[str], Told]) -> None:
    better = types("compare day-weak day-strong --require better --format json")
    assert better.code == 0
    assert json.loads(better.out)["scores"][0]["n"] == 37
    worse = types("compare day-strong day-weak --format md")
    assert (worse.code, "| worse |" in worse.out) == (1, True)


def test_a_gate_holds_fails_or_is_undecided(types: Callable[[str], Told]) -> None:
    gates = {"correct=0.95 --by mean": 0, "correct=0.9": 0, "correct=0.95": 3}
    assert {gate: types(f"run --follow day-strong --min {gate}").code for gate in gates} == gates
    assert types("run --follow day-weak --min correct=0.9").code == 1
    assert types("run --follow day-weak --max-excluded 0.05").code == 1


def test_a_run_that_scored_little_says_why_and_how_to_see_more(types: Callable[[str], Told], day: Day) -> None:
    one_by_one = (day.folder / "weak.yaml").read_text().replace("max_retries: 0", "max_retries: 0, parallelism: 1")
    (day.folder / "lost.yaml").write_text(one_by_one)
    paid = len(day.weak.calls)
    day.weak.script = lambda call: (
        by_default(call) if len(day.weak.calls) <= paid + 10 else failure(400, "no such tool")
    )
    try:
        code, _, err = types("run lost.yaml --name day-lost")
    finally:
        day.weak.script = weakly
    *_, few, instance = err.splitlines()
    assert (code, few.startswith("completed: Less than half was scored")) == (3, True)
    assert re.fullmatch(
        r"for instance sample \d+: .*no such tool.*; all of them: assay results job-\w+ --outcome target_error",
        instance,
    )


def test_the_worst_samples_are_found_in_the_file_s_own_columns(types: Callable[[str], Told]) -> None:
    wrong = types("results day-weak --where score.correct/string-check<1 --where item.odd=0 --format jsonl")
    assert wrong.code == 0
    assert len(wrong.out.splitlines()) == 17
    lost = types("results day-weak --outcome target_error")
    assert [line.split("\t")[1] for line in lost.out.splitlines()] == ["sample", "0", "4", "8"]
    assert types("results day-weak --where item.od=0").err == (
        "filter: no row has a column 'od'; columns: answer, odd, question\n"
    )


def test_one_sample_is_shown_whole_and_the_log_has_what_befell(types: Callable[[str], Told]) -> None:
    shown = types("show day-weak 4")
    assert shown.code == 0
    assert ("q4 ANSWER: a4" in shown.out, "overlong" in shown.out) == (True, True)
    log = types("logs day-weak")
    assert (log.code, "templates checked" in log.out) == (0, True)
    assert types("jobs show day-weak").out.count("weak") > 1


def test_a_retry_pays_for_what_was_lost_and_for_nothing_else(types: Callable[[str], Told], day: Day) -> None:
    paid = len(day.weak.calls)
    day.weak.script = by_default
    again = types("retry day-weak --key target=env:MODEL_KEY --name day-mended --json")
    assert (again.code, len(day.weak.calls) - paid) == (0, 3)
    [summary] = json.loads(again.out)["summaries"]
    assert (summary["count"], summary["nan_count"], summary["mean"]) == (N, 0, (20 + 3) / N)
    assert {call["headers"]["authorization"] for call in day.weak.calls} == {"Bearer sk-day"}
    assert types("compare day-mended day-strong --require better").code == 0


def test_the_night_runs_the_same_file_from_a_folder_of_the_service(
    types: Callable[[str], Told], served: Served, day: Day
) -> None:
    folder = served.home / "specs" / "night"
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text((day.folder / "rows.jsonl").read_text())
    # A deployment takes no key: the model of the night has none.
    (folder / "night.yaml").write_text(
        (day.folder / "strong.yaml").read_text().replace(', api_key: "env:MODEL_KEY"', "")
    )
    run_id = Prefect(served).start("evaluation", spec_file=str(folder / "night.yaml"), name="day-night")
    job_id = job_of(served, run_id)
    assert types(f"run --follow {job_id} --min correct=0.9 --by mean").code == 0
    assert types("compare day-strong day-night").code == 0


def test_a_report_is_one_file_that_says_which_is_better(types: Callable[[str], Told], day: Day) -> None:
    assert types("report day-strong --against day-weak -o report.html").code == 0
    told = (day.folder / "report.html").read_text()
    assert ("better" in told, "<script" in told) == (True, False)


def test_what_was_done_is_whole_and_can_be_queried(types: Callable[[str], Told]) -> None:
    assert types("fsck day-strong").code == 0
    told = types("sql \"SELECT count(*) AS n FROM jobs WHERE name LIKE 'day-strong%'\" --format csv")
    assert int(told.out.splitlines()[1]) >= 1


def test_a_file_that_is_not_there_is_refused_before_there_is_a_job(types: Callable[[str], Told], day: Day) -> None:
    (day.folder / "bad.yaml").write_text((day.folder / "weak.yaml").read_text().replace("rows.jsonl", "row.jsonl"))
    told = types("run bad.yaml --name day-bad")
    assert (told.code, told.err) == (2, "tasks.0.dataset.url: row.jsonl is not there\n")
    assert types("jobs show day-bad").code == 2
