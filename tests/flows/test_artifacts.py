import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.job import Job, utcnow
from core.spec import RecordedTarget
from flows.artifacts import COLUMNS, artifact_key, markdown, table
from tests.tasks.specs import spec

JOB = Job(
    id="job-1",
    face="nemo-v2",
    spec=spec(RecordedTarget(), [{}]),
    request={},
    name="nightly",
    created_at=utcnow(),
    updated_at=utcnow(),
)


def row(**fields: object) -> dict[str, object]:
    return dict.fromkeys(COLUMNS) | fields


def test_the_page_is_a_heading_and_a_table() -> None:
    page = markdown(JOB, [row(task="qa", metric="f1", count=3, nan_count=0, mean=0.123456, stddev=None)])
    heading, blank, names, rule, values = page.splitlines()
    assert (heading, blank) == ("# nightly", "")
    assert names == "| task | target | metric | name | count | nan_count | mean | stddev |"
    assert rule == "|---|---|---|---|---|---|---|---|"
    assert values == "| qa |  | f1 |  | 3 | 0 | 0.1235 |  |"


@given(st.text())
def test_no_name_breaks_out_of_its_cell(name: str) -> None:
    page = markdown(JOB, [row(task=name, mean=float("nan"))])
    assert len(page.split("\n")) == 5
    cells = re.split(r"(?<!\\)\|", page.split("\n")[-1])
    assert len(cells) == len(COLUMNS) + 2
    assert cells[-3].strip() == "nan"


def test_no_name_is_an_image_or_markup_on_a_page_or_in_a_table() -> None:
    name = "![x](http://127.0.0.1/p.png) <img src=x>\n# b"
    escaped = r"!\[x\]\(http\://127.0.0.1/p\.png\) \<img src=x\> \# b"
    assert markdown(replace(JOB, name=name), []).startswith(f"# {escaped}\n\n")
    assert table([row(task=name, mean=0.5, count=1)]) == [row(task=escaped, mean=0.5, count=1)]


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
