"""`assay demo`: a real job through all stages, on this machine alone."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from cli import terminal
from cli.client import JOBS, Client
from cli.demo_model import ROWS, scripted_model
from cli.output import put
from cli.serve import TEND_INTERVAL_S, Service, service
from cli.signals import stop_signals
from cli.summaries import read_summaries, show_summaries
from cli.tables import plain_view
from core.settings import Settings, make_folder
from store.objects.place import place_of
from store.results.views import query

JOB_TIMEOUT_S = 120.0

QUERY = """\
SELECT s.item->>'topic' AS topic, count(*) AS answers, round(avg(c.value), 3) AS correct
FROM scores c JOIN samples s USING (job_id, task, sample)
WHERE job_id = ? AND c.name = 'string-check'
GROUP BY topic ORDER BY correct, topic"""


def demo(settings: Settings, say: Callable[[str], None], *, stay: bool = False) -> int:
    """Run the demo in a folder of its own, to its end or until SIGTERM or Ctrl-C; return the exit code."""
    settings = demo_settings(settings)
    with stop_signals() as told:
        try:
            with scripted_model() as model, service(settings, say) as running:
                say(f"Model      {model} (scripted)")
                job_id = run_job(running.url, model, say)
                show_results(running.url, job_id)
                show_query(settings, job_id)
                if stay:
                    store_pair(running.url, model)
                    show_links(running, settings, job_id, say)
                while stay and not told:
                    time.sleep(TEND_INTERVAL_S)
                    running.tend()
        except KeyboardInterrupt:
            pass
    say("Stopped")
    return 0


def demo_settings(settings: Settings) -> Settings:
    """Return settings for a home, a free port and a dataset of the demo's own."""
    home = settings.home / "demo"
    dataset = home / "datasets" / "demo" / "trivia" / "qa.jsonl"
    make_folder(dataset.parent, "ASSAY_HOME: the folder")
    dataset.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return settings.model_copy(update={"home": home, "port": 0, "datasets": home / "datasets"})


def job_body(model: str) -> dict[str, Any]:
    """Return the demo's job, as a NeMo Evaluator v2 client would post it."""
    return {"spec": {"target": demo_target(model), "config": demo_config(model)}}


def demo_target(model: str) -> dict[str, Any]:
    """Return the scripted model as a target."""
    return {"type": "model", "model": _endpoint(model)}


def demo_config(model: str) -> dict[str, Any]:
    """Return what is asked of the model, and how its answers are scored."""
    grade = (
        "Question: {{item.question}}\nReference: {{item.answer}}\nAnswer: {{sample.output_text}}\nReply SCORE: <0-4>"
    )
    judge = {
        "model": _endpoint(model),
        "template": {"messages": [{"role": "user", "content": grade}]},
        "scores": {
            "grade": {"type": "int", "parser": {"type": "regex", "pattern": r"SCORE: (\d)", "method": "search"}}
        },
    }
    task = {
        "type": "chat-completion",
        "params": {"template": {"messages": [{"role": "user", "content": "{{item.question}}"}]}},
        "dataset": {"files_url": "hf://datasets/demo/trivia/qa.jsonl"},
        "metrics": {
            "correct": {
                "type": "string-check",
                "params": {"check": ["{{sample.output_text}}", "contains", "{{item.answer}}"]},
            },
            "graded": {"type": "llm-judge", "params": judge},
        },
    }
    return {"type": "custom", "tasks": {"qa": task}}


def _endpoint(model: str) -> dict[str, Any]:
    return {"api_endpoint": {"url": model, "model_id": "demo/model"}}


def store_pair(url: str, model: str) -> None:
    """Store the target demo/model and the config demo/qa, in the place of those that are there."""
    pair = {"targets/demo/model": demo_target(model), "configs/demo/qa": demo_config(model)}
    with httpx.Client(base_url=f"{url}/v1/evaluation/", trust_env=False) as client:
        for path, body in pair.items():
            kind, namespace, name = path.split("/")
            # The scripted model has another port each time.
            client.delete(path)
            client.post(kind, json={"namespace": namespace, "name": name, **body}).raise_for_status()


def show_links(running: Service, settings: Settings, job_id: str, say: Callable[[str], None]) -> None:
    """Say where to go from here."""
    job = httpx.get(f"{running.url}{JOBS}/{job_id}", trust_env=False).raise_for_status().json()
    prefect = running.prefect_url.removesuffix("/api")
    say(f"Page       {running.url}/jobs/{job_id}")
    say(f"Flow run   {prefect}/runs/flow-run/{job['flow_run_id']}")
    say(f"Run again  {prefect}/deployments (evaluate: Quick run, with demo/model and demo/qa)")
    say(f"API        {running.url}/docs")
    say(f"Results    {settings.home / 'results' / f'job_id={job_id}'}")
    say(f"Commands   ASSAY_URL={running.url} ASSAY_HOME={settings.home} assay jobs list")
    say("Ctrl-C ends it")


def run_job(url: str, model: str, say: Callable[[str], None]) -> str:
    """Create the job, follow it to its end, and return its id; raises RuntimeError if it fails."""
    jobs = f"{url}/v2/evaluation/jobs"
    with httpx.Client(trust_env=False) as client:
        created = client.post(jobs, json=job_body(model)).raise_for_status().json()
        begun, job_id, seen = time.monotonic(), created["id"], None
        say(f"Job        {job_id}")
        while (elapsed := time.monotonic() - begun) < JOB_TIMEOUT_S:
            job = client.get(f"{jobs}/{job_id}").raise_for_status().json()
            if job["status"] != seen:
                seen = job["status"]
                say(f"           {seen} after {elapsed:.1f} s")
            if seen == "completed":
                return str(job_id)
            if seen in ("error", "cancelled"):
                raise RuntimeError(f"the job ended in {seen}: {job['error_details']}")
            time.sleep(0.1)
    raise RuntimeError(f"the job was still {seen} after {JOB_TIMEOUT_S:.0f} s")


def show_results(url: str, job_id: str) -> None:
    """Print the job's summaries, as `assay jobs show` does."""
    show_summaries(read_summaries(Client(url).get(f"/{job_id}/summaries")["data"]))


def show_query(settings: Settings, job_id: str) -> None:
    """Print a DuckDB query over the results, and its answer."""
    columns, rows = query(settings.home / "results", QUERY, [job_id], place_of(settings.store, settings.home))
    terminal.say(QUERY.replace("?", f"'{job_id}'"))
    put(plain_view(columns, rows))
