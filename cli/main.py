"""The `assay` command: what each word does."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from cli.again import Again
from cli.client import Refused
from cli.compare import Question, compare
from cli.entities import entity_app
from cli.files import app as files
from cli.gates import By, Demand, read_gate
from cli.jobs import app as jobs
from cli.output import AsJson, Format
from cli.place import Unreachable, results_of_home
from cli.plan import Assumed, Wanted, show_plan
from cli.results import BadCondition
from cli.terminal import announce, note, say, say_json
from core.errors import AssayError, Misconfigured
from core.settings import Settings, read_settings, unknown_variables

app = App(
    name="assay",
    help="A self-hosted evaluation service for language models.",
    version=lambda: version("assay-evals"),
    version_flags=["--version"],
)
app.register_install_completion_command()
app.command(jobs)
app.command(files)
app.command(entity_app("targets"))
app.command(entity_app("configs"))

NO_QUESTION = Question()
NO_DEMAND = Demand()
NO_AIM = Wanted()
NO_ASSUMPTION = Assumed()
ALL_AGAIN = Again()

BAD_INPUT = 2
FAILED = 4
INTERRUPTED = 130


@app.command
def serve(*, host: str | None = None, port: int | None = None, home: Path | None = None) -> int:
    """Run the service: Prefect server, worker and API, until it is stopped.

    Args:
        host: The address to listen on, in the place of ASSAY_HOST.
        port: The port of the API, in the place of ASSAY_PORT; 0 for one that is free.
        home: The data folder, in the place of ASSAY_HOME.
    """
    from cli.serve import serve as run_service

    settings = read_settings(host=host, port=port, home=home)
    _warn(settings)
    return run_service(settings, announce)


@app.command
def run(
    spec: Path | None = None,
    *,
    follow: str | None = None,
    name: str | None = None,
    project: str | None = None,
    least: Annotated[list[str] | None, Parameter(name="--min", negative="")] = None,
    by: By = "interval",
    max_excluded: float | None = None,
    as_json: AsJson = False,
) -> int:
    """Run the evaluation that a YAML or JSON file describes, and show its results.

    Datasets may be files, by paths relative to the specification: they are uploaded, once. With no service running, one
    is started for it. Ctrl-C cancels the job. Exits with 0 if the job is completed, 2 if the file is wrong, 3 if less
    than half of a score's samples were scored, 4 if the job failed, and 130 if it was cancelled. Of a completed job
    `--min` and `--max-excluded` may ask more: 1 if it is surely not so, and 3 if nobody can tell yet.

    Args:
        spec: A specification (see `assay schema`), or a NeMo Evaluator body with target and config.
        follow: A job that is there already, which is followed in the place of a new one; Ctrl-C leaves it as it is.
        name: What to call the job; a name that is taken gets the end of the job's id.
        project: What to file the job under.
        least: METRIC=VALUE, what a metric's scores must reach; may be given more than once.
        by: What must reach it: the lower end of the interval, or the mean alone.
        max_excluded: The share of a score's samples that may end without a value, from 0 to 1.
        as_json: Print JSON, for a script to read.
    """
    from cli.run import follow_again
    from cli.run import run as run_file

    gate = read_gate(least or [], by, max_excluded)
    if follow is not None and (spec, name, project) == (None, None, None):
        return follow_again(follow, gate=gate, as_json=as_json)
    if spec is None or follow is not None:
        return _refuse("name a specification, with --name and --project if you like, or --follow a job", BAD_INPUT)
    settings = read_settings()
    _warn(settings)
    return run_file(settings, spec, name=name, project=project, gate=gate, as_json=as_json)


@app.command
def upload(file: Path, *, as_json: AsJson = False) -> int:
    """Have the service keep a file of rows, once, and print the URL by which a specification names it as a dataset.

    Args:
        file: JSON Lines, JSON, CSV, TSV or Parquet, which may be compressed.
        as_json: Print JSON, for a script to read.
    """
    from cli.files import upload as send

    return send(file, as_json=as_json)


@app.command
def results(
    job: str,
    *,
    task: str | None = None,
    outcome: str | None = None,
    where: Annotated[list[str] | None, Parameter(negative="")] = None,
    sort: str = "sample",
    limit: int | None = None,
    format: Format | None = None,
    as_json: AsJson = False,
) -> int:
    """Show what became of a job's samples, also while it runs.

    Args:
        job: The job: its id or an unambiguous start of it, or its name.
        task: Only samples of this task.
        outcome: Only samples with a score of this outcome, such as judge_unparsable.
        where: A condition such as score.grade>=3, item.topic=law or output~Paris; may be given more than once.
        sort: By sample or score.NAME; the other way round with a minus before it, as --sort=-score.NAME.
        limit: How many samples at most: 20 in a table, else all.
        format: A table, or a file to the standard output; without it a table on a terminal, else lines with tabs.
        as_json: Print lines of JSON, for a script to read.
    """
    from cli.results import conditions
    from cli.results import results as print_results

    asked = conditions(task, outcome, where or [])
    return print_results(job, asked, sort=sort, limit=limit, form="jsonl" if as_json else format)


@app.command
def retry(job: str, *, again: Again = ALL_AGAIN, detach: bool = False, as_json: AsJson = False) -> int:
    """Have another job make again what failed of one that has ended, and take over the rest: no call is paid twice.

    It is followed as by `assay run`, with the same exit codes. Ctrl-C leaves it as it is.

    Args:
        job: The job: its id or an unambiguous start of it, or its name.
        again: What is made again; without anything, all that has no score but might have.
        detach: End once the new job is made.
        as_json: Print JSON, for a script to read.
    """
    from cli.retry import retry as retry_job

    return retry_job(job, again, detach=detach, as_json=as_json)


@app.command
def show(
    job: str,
    sample: int,
    *,
    task: str | None = None,
    target: str | None = None,
    trial: int | None = None,
    as_json: AsJson = False,
) -> int:
    """Show one sample of a job: the whole conversation, and how each metric and judge came to its scores.

    Args:
        job: The job: its id or an unambiguous start of it, or its name.
        sample: The sample's number, as `assay results` has it.
        task: The task it is of, where the job has several.
        target: Only what this target made of it.
        trial: Only this trial.
        as_json: Print JSON, for a script to read.
    """
    from cli.sample import show_sample

    return show_sample(job, sample, task=task, target=target, trial=trial, as_json=as_json)


@app.command
def logs(job: str, *, follow: bool = False, as_json: AsJson = False) -> int:
    """Print what a job's log says.

    Args:
        job: The job: its id or an unambiguous start of it, or its name.
        follow: Go on with the lines that come, until the job has ended.
        as_json: Print lines of JSON, for a script to read.
    """
    from cli.logs import logs as print_logs

    return print_logs(job, follow=follow, as_json=as_json)


@app.command(name="compare")
def compare_results(
    baseline: str,
    candidate: str,
    *,
    question: Question = NO_QUESTION,
    demand: Demand = NO_DEMAND,
    format: Format | None = None,
    as_json: AsJson = False,
) -> int:
    """Tell whether a result is better than another on the same samples, or whether nobody can tell.

    Exits with 0 if the gate holds, 1 if it does not, and 3 if nobody can tell yet. Without `--require` the gate is
    `--fail-on worse`: it holds unless a score is surely worse.

    Args:
        baseline: A job: its id or an unambiguous start of it, or its name, of which the last completed job is meant.
            JOB/TARGET for one of several targets.
        candidate: What is held against it.
        question: What is asked.
        demand: What the gate is.
        format: What to print, as for `assay results`; json has all that is known of the comparison.
        as_json: Print JSON, for a script to read.
    """
    return compare(baseline, candidate, question, demand, "json" if as_json else format)


@app.command
def report(
    job: str,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    against: str | None = None,
    target: str | None = None,
    samples: int = 100,
) -> int:
    """Write a job as one HTML file, which any browser opens without the service: its figures and telling samples.

    Of a job that runs, it has what there is by now.

    Args:
        job: The job: its id or an unambiguous start of it, or its name.
        output: The file, which is replaced if it is there.
        against: The baseline that it is compared with, as for `assay compare`.
        target: Which of the job's targets is compared, where there are several.
        samples: How many samples at most, up to 1000: those that regressed, failed or have no score come first.
    """
    from cli.report import write_report

    return write_report(job, output, against=against, target=target, samples=samples)


@app.command(name="plan")
def plan_samples(
    *sides: str,
    score: str | None = None,
    wanted: Wanted = NO_AIM,
    assumed: Assumed = NO_ASSUMPTION,
    as_json: AsJson = False,
) -> int:
    """Tell how many samples a difference or an interval takes, or what so many can find.

    How samples vary is what a comparison of two results found, or what is assumed; then no service need run.

    Args:
        sides: BASELINE and CANDIDATE, as for `assay compare`, or neither.
        score: METRIC/NAME, the score of the comparison that is meant, where there are several.
        wanted: What is wanted.
        assumed: What is assumed.
        as_json: Print JSON, for a script to read.
    """
    return show_plan(sides, score, wanted, assumed, as_json=as_json)


@app.command
def sql(query: str, *, format: Format | None = None, as_json: AsJson = False) -> int:
    """Answer a DuckDB query over the results of all jobs; no service need run.

    Args:
        query: SQL over the views jobs, samples, calls, outputs, scores and summaries; see docs/results.md.
        format: What to print, as for `assay results`.
        as_json: Print lines of JSON, for a script to read.
    """
    from cli.results import sql as print_answer

    settings = read_settings()
    return print_answer(results_of_home(settings), query, "jsonl" if as_json else format, settings.store)


@app.command
def fsck(
    job: str | None = None,
    *,
    all_jobs: Annotated[bool, Parameter(name="--all", negative="")] = False,
    as_json: AsJson = False,
) -> int:
    """Check that a job's results are whole and agree with each other; no service need run.

    Every score and aggregate is computed once more from what it derives from. Exits with 0 if nothing differs, and with
    4 and the first difference otherwise.

    Args:
        job: The job: its id or an unambiguous start of it, or its name.
        all_jobs: Check all jobs that have results.
        as_json: Print lines of JSON, for a script to read.
    """
    from cli.fsck import check
    from store.objects.place import place_of

    if (job is None) != all_jobs:
        return _refuse("name one job, or --all", BAD_INPUT)
    settings = read_settings()
    objects = place_of(settings.store, settings.home)
    return check(results_of_home(settings), job, as_json=as_json, objects=objects)


@app.command
def prune(
    *,
    older_than: str | None = None,
    keep: int | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> int:
    """Remove old jobs with their results and their runs in Prefect, and uploads that nothing names.

    With both an age and a number, what goes is old and none of the newest. Jobs that have not ended stay, and those on
    which people have given verdicts, or of which a retry runs. No service need run; runs in Prefect go once it does.

    Args:
        older_than: What goes are jobs that ended longer ago than this, such as 12h, 30d or 8w.
        keep: What stays are so many of the newest jobs of each name, and of those of each name that completed. A name
            counts without the end of an id that a later job of it got; jobs that have none count by config and model.
        dry_run: Only say what would go, and how many bytes that is.
        yes: Do not ask.
        as_json: Print JSON, for a script to read.
    """
    from cli.prune import prune_home
    from core.retention import Rule, age

    rule = Rule(None if older_than is None else age(older_than), keep)
    return prune_home(read_settings(), rule, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command
def schema() -> int:
    """Print the JSON Schema of a specification."""
    from core.spec import EvaluationSpec

    say_json(EvaluationSpec.model_json_schema(), indent=2)
    return 0


@app.command
def migrate() -> int:
    """Bring the job tables up to date; `assay serve` does so by itself."""
    from store.workspace import Workspace

    Workspace.open(read_settings(), migrating=True)
    say("The tables are up to date.")
    return 0


@app.command
def recover() -> int:
    """Register finished jobs again whose results are there and whose records are lost.

    Records that are there stay as they are. Exits with 4 if a job could not be registered.
    """
    from cli.recover import recover_all

    return recover_all(read_settings(), say)


@app.command
def demo(*, stay: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Run a whole evaluation against a scripted model on this machine, and show its results.

    Args:
        stay: Leave the service and the model running, with a stored target and config, until Ctrl-C.
    """
    from cli.demo import demo as run_demo

    return run_demo(read_settings(), say, stay=stay)


def main() -> None:
    """Run the command of this process's arguments, and exit with its code."""
    sys.exit(answer())


def answer(arguments: list[str] | None = None) -> int:
    """Run the command of the arguments, and return its code: 2 for what the user can mend, 4 for other failures."""
    from cli.children import KeepsEnding
    from cli.serve import CannotServe

    try:
        code: int | None = app(arguments, result_action="return_value", exit_on_error=False)
        return code or 0
    except CycloptsError:
        return BAD_INPUT  # it is told already
    except (BadCondition, Misconfigured, CannotServe) as error:
        return _refuse(str(error), BAD_INPUT)
    except AssayError as error:
        return _refuse(error.message, BAD_INPUT if error.blame == "user" else FAILED)
    except Refused as error:
        return _refuse(str(error), BAD_INPUT if error.status < 500 else FAILED)
    except (Unreachable, TimeoutError, KeepsEnding) as error:
        return _refuse(str(error), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's own flush finds no pipe
        return 0


def _warn(settings: Settings) -> None:
    for sentence in unknown_variables(settings):
        note(f"Warning    {sentence}")


def _refuse(message: str, code: int) -> int:
    note(message)
    return code
