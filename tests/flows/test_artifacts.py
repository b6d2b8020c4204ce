import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.job import Job, utcnow
from core.result import Summary
from core.spec import RecordedTarget
from flows.artifacts import COLUMNS, artifact_key, markdown, table
from tests.tasks.specs import alike, spec

JOB = Job(
    id="job-1",
    face="nemo-v2",
    spec=spec(RecordedTarget(), [{}]),
    request={},
    name="nightly",
    created_at=utcnow(),
    updated_at=utcnow(),
)


def summary(**fields: Any) -> Summary:
    made = Summary("qa", "t", "f1", "n", 3, 0, *alike(0.123456), {"scored": 3}, 3, 1, None, 0.1, 0.05, 0.25, 0.95)
    return replace(made, **{"ci_method": "score", "cautions": ["few_samples"]} | fields)


def test_the_page_is_a_heading_a_table_and_what_its_words_mean() -> None:
    heading, blank, names, rule, values, _, legend = markdown(JOB, [summary()]).splitlines()
    assert (heading, blank) == ("# nightly", "")
    assert names == "| task | target | metric | score | mean [95 % interval] | scored | not scored | cautions |"
    assert rule == "|---|---|---|---|---|---|---|---|"
    assert values == r"| qa | t | f1 | n | 0.123 \[0.050, 0.250\] | 3 of 3 |  | few_samples |"
    assert legend == "- few_samples: fewer than 30 samples were scored"


def test_a_job_that_scored_next_to_nothing_says_so_first() -> None:
    few = summary(count=0, nan_count=20, mean=None, ci_low=None, ci_high=None, ci_method=None, cautions=[])
    few = replace(few, outcomes={"judge_unparsable": 20})
    lines = markdown(JOB, [few]).splitlines()
    assert lines[2] == r"**Nothing was scored\: qa / f1 / n 0 of 20 \(20 judge_unparsable\)**"
    assert r"| no mean \[nothing_scored\] | 0 of 20 | 20 judge_unparsable |" in lines[6]


@given(st.text())
def test_no_name_breaks_out_of_its_cell(name: str) -> None:
    page = markdown(JOB, [summary(task=name, mean=float("nan"), cautions=[])])
    assert len(page.split("\n")) == 5
    cells = re.split(r"(?<!\\)\|", page.split("\n")[-1])
    assert len(cells) == len(COLUMNS) + 2
    assert cells[5].strip().startswith("nan")


def test_no_name_is_an_image_or_markup_on_a_page_or_in_a_table() -> None:
    name = "![x](http://127.0.0.1/p.png) <img src=x>\n# b"
    escaped = r"!\[x\]\(http\://127.0.0.1/p\.png\) \<img src=x\> \# b"
    assert markdown(replace(JOB, name=name), []).startswith(f"# {escaped}\n\n")
    [row] = table([summary(task=name)])
    assert (row["task"], row["scored"]) == (escaped, "3 of 3")


@pytest.mark.parametrize(
    ("text", "key"),
    [("job-1aB", "job-1ab"), ("default-My Config/v2-results", "default-my-config-v2-results"), ("--a__b--", "a-b")],
)
def test_a_key_is_in_prefect_s_form(text: str, key: str) -> None:
    assert artifact_key(text) == key
    assert artifact_key(key) == key


@given(st.text())
def test_every_text_gives_a_valid_key_or_none(text: str) -> None:
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", artifact_key(text))
    assert artifact_key(f"job-{text}").startswith("job")
