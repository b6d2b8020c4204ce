import re
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.job import Job, utcnow
from core.plan import DatasetDigest, Manifest
from core.result import Summary, Usage
from core.spec import RecordedTarget
from flows.page import COLUMNS, Findings, markdown
from tasks.samples.worst import BadSample, Worst
from tests.tasks.specs import alike, judge, model, spec

JOB = Job(
    id="job-1",
    face="nemo-v2",
    spec=spec(RecordedTarget(), [{}]),
    request={},
    name="nightly",
    config="demo/qa",
    target="demo/model",
    created_at=utcnow(),
    updated_at=utcnow(),
)
BOMB = "![x](http://127.0.0.1/p.png) <img src=x>|\n# b"
DEFUSED = r"!\[x\]\(http\://127.0.0.1/p\.png\) \<img src=x\>\| \# b"


def summary(**fields: Any) -> Summary:
    made = Summary("qa", "target", "f1", "n", 3, 0, *alike(0.123456), {"scored": 3}, 3, 1, None, 0.1, 0.05, 0.25, 0.95)
    return replace(made, **{"ci_method": "score", "cautions": ["few_samples"]} | fields)


def findings(*summaries: Summary, **fields: Any) -> Findings:
    asked = fields.pop("spec", JOB.spec)
    plan = Manifest(
        job_id=JOB.id,
        code_version="1",
        spec=asked,
        shards=(),
        datasets=(DatasetDigest(task="qa", sha256="ab" * 32, rows=1200),),
        notes=fields.pop("notes", ()),
    )
    return replace(Findings(JOB, summaries, plan, seconds=61.25, url="http://127.0.0.1:7331/jobs/job-1"), **fields)


def test_the_page_says_what_was_evaluated_on_what_how_long_it_took_and_what_came_out() -> None:
    asked = spec(model("http://host/v1"), [{}], judge("http://host/v1"))
    tokens = {"target": Usage(1200, 30), "judge": Usage(None, 4)}
    said = markdown(findings(summary(), spec=asked, tokens=tokens, notes=("max_tokens was not sent",)))
    assert said.splitlines() == [
        "# nightly",
        "",
        "|  |  |",
        "| --- | --- |",
        "| target, config | demo/model, demo/qa |",
        "| models | m, j |",
        "| dataset of qa | 1,200 rows of the request, sha256 abababababab |",
        "| duration | 61.2 s |",
        "| tokens, target | 1,200 in, 30 out |",
        "| tokens, judge | ? in, 4 out |",
        "| note | max_tokens was not sent |",
        "",
        "| task | target | metric | score | mean [95 % interval] | scored | not scored | cautions |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        r"| qa | target | f1 | n | 0.123 \[0.050, 0.250\] | 3 of 3 |  | few_samples |",
        "",
        "- few_samples: fewer than 30 samples were scored",
        "",
        "[All samples](http://127.0.0.1:7331/jobs/job-1) · job-1",
    ]


def test_a_job_that_scored_next_to_nothing_says_so_first() -> None:
    few = summary(count=0, nan_count=20, mean=None, ci_low=None, ci_high=None, ci_method=None, cautions=[])
    said = markdown(findings(replace(few, outcomes={"judge_unparsable": 20}))).splitlines()
    assert said[2] == r"**Nothing was scored\: qa / target / f1 / n 0 of 20 \(20 judge_unparsable\)**"
    assert [line for line in said if r"| no mean \[nothing_scored\] | 0 of 20 | 20 judge_unparsable |" in line]


def test_the_worst_samples_are_shown_with_the_beginning_of_their_texts() -> None:
    bad = [BadSample(7, "target", 0.0, {"q": "x" * 999}, "no"), BadSample(8, "target", 0.5, {}, None)]
    said = markdown(findings(worst=Worst("qa", "f1", "n", bad)))
    _, _, table = said.partition("## The worst by qa / f1 / n\n\n")
    rows = table.splitlines()[2:4]
    assert [row.split(" | ")[:3] for row in rows] == [["| 7", "target", "0.000"], ["| 8", "target", "0.500"]]
    assert len(rows[0]) < 300


@given(st.text())
def test_no_name_breaks_out_of_its_cell(name: str) -> None:
    page = markdown(findings(summary(task=name, mean=float("nan"), cautions=[])))
    (row,) = [line for line in page.split("\n") if "nan" in line and line.startswith("|") and "3 of 3" in line]
    cells = re.split(r"(?<!\\)\|", row)
    assert len(cells) == len(COLUMNS) + 2
    assert cells[5].strip().startswith("nan")


def test_no_text_of_a_stranger_is_markup_on_the_page() -> None:
    bad = BadSample(1, BOMB, 0.0, {BOMB: BOMB}, BOMB)
    worst = Worst(BOMB, BOMB, BOMB, [bad])
    named = replace(JOB, name=BOMB, config=BOMB, target=BOMB)
    said = markdown(findings(summary(task=BOMB), job=named, worst=worst, notes=(BOMB,)))
    assert said.startswith(f"# {DEFUSED}\n\n")
    assert said.count(DEFUSED) >= 9
    assert not re.search(r"(?<!\\)[\[<!]\[?x\]", said)
    assert re.findall(r"(?<!\\)\]\(", said) == ["]("]  # of our own link
    assert [line for line in said.splitlines() if line.startswith("# ")] == [f"# {DEFUSED}"]
