"""Bodies and queries that cost more than they mean."""

import json

import pytest

from api.http.body import MOST_VALUES, values_in

JOBS = "/v2/evaluation/jobs"
LISTS = ("/v2/evaluation/jobs", "/v1/evaluation/jobs", "/v1/evaluation/targets", "/api/assay/v1/jobs")


@pytest.mark.parametrize(
    ("body", "most"),
    [(b"[1,2,3]", 2), (b'"' + b"," * MOST_VALUES * 2 + b'"', 0), (b'["' + b'\\",' * MOST_VALUES + b'",1,2]', 2)],
)
def test_values_are_counted_where_they_are_no_text(body: bytes, most: int) -> None:
    assert values_in(body) == most


def test_text_that_never_ends_is_counted_in_one_go() -> None:
    assert values_in(b'"' + b'\\",' * MOST_VALUES * 2) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"spec": {"target": {"type": "rows", "rows": [1] * 5_000}, "config": {"type": "custom", "tasks": {}}}},
        {
            "spec": {
                "target": {"type": "model", "model": "m"},
                "config": {"type": "custom", "tasks": {"t": [0] * 5_000}},
            }
        },
        {"spec": {"target": 1, "config": {"type": "custom", "tasks": {str(n): n for n in range(5_000)}}}},
        {"spec": {"x" * 5_000: 1}},
    ],
)
def test_a_wrong_body_is_answered_shortly(service, wrong):
    for path in (JOBS, "/api/assay/v1/jobs", "/v1/evaluation/jobs", "/v1/evaluations"):
        response = service.http.post(path, json=wrong)
        assert 400 <= response.status_code < 500
        assert len(response.content) < 20_000


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"a{n}=1" for n in range(2_000)),
        "a=" + "x" * 20_000,
        "search[name]=" + "," * 900,
        "search[name]=" + ",".join("abc" for _ in range(900)),
        "&".join(f"filter[custom_fields][k{n}]=v" for n in range(150)),
        "&".join(f"filter[status]=created{n}" for n in range(150)),
        "filter[item..]=1",
        "filter[]=1",
        "filter[[name]]=1",
        "sort=" + "-" * 100,
        "page=99999999999999999999",
    ],
)
def test_a_query_beyond_the_bounds_is_refused(service, path, query):
    assert 400 <= service.http.get(f"{path}?{query}").status_code < 500


def test_a_body_of_too_many_values_is_refused_before_it_is_read(service):
    settings = service.state.settings
    body = json.dumps({"spec": [0] * (settings.max_body // 3)}).encode()
    assert service.http.post(JOBS, content=body, headers={"Content-Type": "application/json"}).status_code in (413, 422)
