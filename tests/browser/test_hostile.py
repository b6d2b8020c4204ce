"""What models, judges and rows say is text: of 100 payloads none runs, in whatever place it stands."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from core.job import NewJob, utcnow
from core.plan import DatasetDigest, Manifest, Shard
from core.result import Output, Score
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from core.verdict import Verdict
from store.results.folder import JobFolder
from tests.conftest import until

RUN = "window.hacked=1"
FORMS = (
    "<script>{run}</script>",
    "<ScRiPt>{run}</sCrIpT>",
    '"><script>{run}</script>',
    "'><svg/onload={run}>",
    "<img src=x onerror={run}>",
    '<img src="x" onerror="{run}">',
    "<svg><script>{run}</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror={run}>",
    "<body onload={run}>",
    "<iframe srcdoc='<script>parent.{run}</script>'></iframe>",
    "<iframe src=javascript:parent.{run}></iframe>",
    "<a href=javascript:{run} autofocus onfocus={run}>x</a>",
    "<details open ontoggle={run}>",
    "<input autofocus onfocus={run}>",
    "</textarea><script>{run}</script>",
    "</pre><script>{run}</script>",
    "</title><script>{run}</script>",
    "</script><script>{run}</script>",
    "<!--><script>{run}</script-->",
    "<div hx-get='/' hx-trigger='load' hx-on::load='{run}'></div>",
    '" onmouseover="{run}" autofocus onfocus="{run}',
    "{{{{ 7*7 }}}}{{% set x=1 %}}<script>{run}</script>",
    "[x](javascript:{run}) ![x](https://evil.example/x.png)",
    "<link rel=stylesheet href=https://evil.example/x.css><base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
)
ENDS = ("", "\x00", "\u202e", "<")
PAYLOADS = [form.format(run=RUN) + end for form in FORMS for end in ENDS]


@pytest.fixture(scope="module")
def hostile(state) -> Iterator[str]:
    """The id of a job in which every text of a stranger is a payload."""
    spec = EvaluationSpec(
        targets=(RecordedTarget(name="t"),), tasks=(TaskSpec(name=PAYLOADS[0], dataset=RowsDataset(rows=[])),)
    )
    name = PAYLOADS[5]
    job = NewJob(id="job-hostile", face="nemo-v2", spec=spec, request={}, name=name, model=PAYLOADS[2], project=name)
    state.jobs.add(job)
    folder = JobFolder(state.results, job.id)
    task, count = PAYLOADS[0], len(PAYLOADS)
    shard = Shard(index=0, task=task, start=0, stop=count)
    folder.write_samples(
        shard, [json.dumps({"topic": PAYLOADS[n % 7], payload: payload}) for n, payload in enumerate(PAYLOADS)]
    )
    folder.finish_generate(shard, [Output(task, n, "t", text=payload) for n, payload in enumerate(PAYLOADS)], [])
    scores = [
        Score(task, n, "t", 0, "graded", "grade", "scored", n % 5, label=payload, feedback=payload)
        if n % 3
        else Score(task, n, "t", 0, "graded", "grade", "metric_error", error=payload)
        for n, payload in enumerate(PAYLOADS)
    ]
    folder.finish_judge(shard, scores, [])
    digest = DatasetDigest(task=task, rows=count, sha256=PAYLOADS[4])
    plan = Manifest(job_id=job.id, code_version=PAYLOADS[1], spec=spec, shards=(shard,), datasets=(digest,))
    folder.write_manifest(plan)
    state.jobs.settle(job.id, status="failed", failure={"blame": "user", "code": "x", "message": PAYLOADS[6]})
    state.verdicts.put(
        Verdict(
            job_id=job.id,
            task=task,
            sample=1,
            target="t",
            trial=0,
            metric="graded",
            note=PAYLOADS[3],
            updated_at=utcnow(),
        )
    )
    yield job.id
    state.jobs.remove(job.id)


def test_of_a_hundred_payloads_none_runs(browser, hostile):
    assert len(PAYLOADS) == 100
    browser.open(f"/jobs/{hostile}/samples")
    columns = "&".join(f"column={name}" for name in ("item.topic", "output", "score.grade", "error"))
    paths = ["/", "/?search[text]=script", f"/jobs/{hostile}", f"/jobs/{hostile}/samples?{columns}"]
    paths += [f"/sql?q=SELECT item, task FROM samples WHERE job_id = '{hostile}' ORDER BY sample"]
    for path in paths:
        browser.open(path)
        assert "<script>" in browser.text, path
        assert browser.run("return window.hacked") is None, path
    while browser.count("a[rel=next]"):
        browser.open(browser.value("a[rel=next]", "href").removeprefix(browser.url))
        assert browser.run("return window.hacked") is None
    assert browser.url in browser.driver.current_url


def test_where_markdown_is_rendered_no_payload_runs_leads_or_loads(browser, hostile):
    for number in range(0, len(PAYLOADS), len(ENDS)):
        browser.open(f"/jobs/{hostile}/samples/{quote(PAYLOADS[0], safe='')}/{number}?view=rendered")
        assert browser.count(".markdown") == 1, number
        assert browser.count(".markdown a, .markdown img, .markdown script, .markdown [style]") == 0, number
        assert browser.run("return window.hacked") is None, number


def test_a_page_with_a_payload_put_in_runs_nothing_by_its_policy(browser, jobs):
    """Should one slip through the templates, the policy of the page still holds: the browser says that it does."""
    browser.open("/")
    browser.run(
        "document.querySelector('main').insertAdjacentHTML('beforeend', arguments[0])",
        f"<img src=data:, onerror={RUN}>",
    )
    said = until("the refusal", lambda: [each for each in browser.complaints() if "Content Security Policy" in each])
    assert said
    assert browser.run("return window.hacked") is None
