"""What the documentation of filters and searches shows, by its curl lines and with the vendor's client."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from nemo_microservices import NeMoMicroservices
from nemo_microservices.types.evaluation import EvaluationJobsPage
from nemo_microservices.types.v2.evaluation import EvaluatorV2JobsPage

from core.job import JobStatus
from store.db.connect import connect, writing
from store.db.tables import jobs as table
from tests.conftest import WAIT_S

Json = dict[str, Any]

V1, V2 = "/v1/evaluation/jobs", "/v2/evaluation/jobs"
TARGET: Json = {
    "type": "model",
    "model": {"api_endpoint": {"url": "https://models.example/v1", "model_id": "llama-3"}},
}
CHECK: Json = {
    "type": "string-check",
    "params": {"check": ["{{sample.output_text}}", "equals", "{{item.a}}"]},
}
TASK: Json = {
    "type": "chat-completion",
    "params": {"template": {"messages": [{"role": "user", "content": "{{item.q}}"}]}},
    "dataset": {"files_url": "hf://datasets/org/ds/qa.jsonl"},
    "metrics": {"same": CHECK},
}
CONFIG: Json = {"type": "custom", "tasks": {"qa": TASK}}
SPEC: Any = {"target": TARGET, "config": CONFIG}
ROWS: Json = {"type": "rows", "rows": [{"q": "2+2", "a": "4"}]}
GRADED: Json = {
    "type": "custom",
    "tasks": {
        "sums": {"type": "data", "metrics": {"same": {**CHECK, "params": {"check": ["4", "equals", "{{item.a}}"]}}}}
    },
}
MINE: Json = {"namespace": "my-organization", "name": "my-model-target-1"}

JOBS: list[tuple[str, str, str, JobStatus, str]] = [
    ("early", "my-organization", "2025-03-17T12:00:00", "completed", "my-project"),
    ("training-model", "my-organization", "2025-03-18T00:00:00", "running", "my-project"),
    ("my-job-name", "other", "2025-03-19T09:30:00", "completed", "my-project"),
    ("eval", "other", "2025-03-20T18:00:00", "failed", "theirs"),
    ("retrain", "my-organization", "2025-03-31T00:00:00", "cancelled", "theirs"),
]
ALL = [job[0] for job in JOBS]


@pytest.fixture(scope="module")
def client(service: Any) -> Iterator[NeMoMicroservices]:
    """The vendor's client of a service with the same five jobs in either version."""
    with NeMoMicroservices(base_url=service.url, _strict_response_validation=True) as client:
        client.evaluation.targets.create(**TARGET, **MINE)
        client.evaluation.targets.create(**ROWS, namespace="other", name="rows")
        client.evaluation.configs.create(**CONFIG, namespace="my-organization", name="my-gsm8k-config-1")
        client.evaluation.configs.create(**GRADED, namespace="other", name="sums")
        client.evaluation.configs.create(type="gsm8k", namespace="other", name="gsm")
        for name, namespace, created_at, status, project in JOBS:
            owner: dict[str, Any] = {"namespace": namespace, "project": project, "custom_fields": {"team": name[:1]}}
            mine = namespace == "my-organization"
            target, config = ("my-model-target-1", "my-gsm8k-config-1") if mine else ("rows", "sums")
            refs: dict[str, Any] = {"target": f"{namespace}/{target}", "config": f"{namespace}/{config}"}
            first = client.evaluation.jobs.create(**refs, **owner, extra_body={"name": name})
            second = client.v2.evaluation.jobs.create(spec=SPEC, name=name, **owner)
            for job_id in (first.id, second.id):
                set_columns(service, str(job_id), created_at=created_at, status=status)
        yield client


def set_columns(service: Any, job_id: str, *, created_at: str, status: JobStatus) -> None:
    moment = datetime.fromisoformat(created_at)
    engine = connect(service.state.settings.jobs_url)
    with writing(engine) as connection:
        change = sa.update(table).where(table.c.id == job_id)
        connection.execute(change.values(created_at=moment, updated_at=moment, status=status))
    engine.dispose()


def names(service: Any, path: str, ids: list[str]) -> list[str]:
    return [service.state.jobs.get(job_id).name for job_id in ids]


DOCUMENTED = [
    (V1, "filter[status]=completed", {"filter": {"status": "completed"}}, ["early", "my-job-name"]),
    (
        V1,
        "filter[created_at][gt]=2025-03-18&filter[created_at][lt]=2025-03-20",
        {"filter": {"created_at": {"gt": "2025-03-18", "lt": "2025-03-20"}}},
        ["my-job-name"],
    ),
    (
        V1,
        "filter[target]=my-organization/my-model-target-1",
        {"filter": {"target": "my-organization/my-model-target-1"}},
        ["early", "training-model", "retrain"],
    ),
    (
        V1,
        "filter[config]=my-organization/my-gsm8k-config-1",
        {"filter": {"config": "my-organization/my-gsm8k-config-1"}},
        ["early", "training-model", "retrain"],
    ),
    (
        V1,
        "search[status]=running&search[status]=completed",
        {"search": {"status": ["running", "completed"]}},
        ["early", "training-model", "my-job-name"],
    ),
    (V1, "search[name]=training", {"search": {"name": "training"}}, ["training-model"]),
    (V1, "search[name]=train", {"search": {"name": "train"}}, ["training-model", "retrain"]),
    (
        V1,
        "search[name]=training&search[name]=eval",
        {"search": {"name": ["training", "eval"]}},
        ["training-model", "eval"],
    ),
    (V1, "search[status]=running", {"search": {"status": "running"}}, ["training-model"]),
    (
        V1,
        "filter[namespace]=my-organization",
        {"filter": {"namespace": "my-organization"}},
        ["early", "training-model", "retrain"],
    ),
    (
        V1,
        "filter[created_at][gt]=2025-03-18&sort=-created_at",
        {"filter": {"created_at": {"gt": "2025-03-18"}}, "sort": "-created_at"},
        ["retrain", "eval", "my-job-name"],
    ),
    (
        V1,
        "filter[created_at][gt]=2025-03-17&page_size=2&page=2",
        {"filter": {"created_at": {"gt": "2025-03-17"}}, "page_size": 2, "page": 2},
        ["my-job-name", "eval"],
    ),
    (V1, "filter[created_at]=2025-03-18", {"filter": {"created_at": "2025-03-18"}}, ["training-model"]),
    (V2, "filter[status]=completed", {"filter": {"status": "completed"}}, ["my-job-name", "early"]),
    (
        V2,
        "filter[created_at][gte]=2025-03-18&filter[created_at][lte]=2025-03-20",
        {"filter": {"created_at": {"gte": "2025-03-18", "lte": "2025-03-20"}}},
        ["eval", "my-job-name", "training-model"],
    ),
    (V2, "filter[name]=my-job-name", {"filter": {"name": "my-job-name"}}, ["my-job-name"]),
    (
        V2,
        "filter[project]=my-project",
        {"filter": {"project": "my-project"}},
        ["my-job-name", "training-model", "early"],
    ),
    (V2, "search[name]=training", {"search": {"name": "training"}}, ["training-model"]),
    (
        V2,
        "search[name]=training&search[name]=eval",
        {"search": {"name": ["training", "eval"]}},
        ["eval", "training-model"],
    ),
    (
        V2,
        "filter[created_at][gte]=2025-03-18&sort=-created_at",
        {"filter": {"created_at": {"gte": "2025-03-18"}}, "sort": "-created_at"},
        ["retrain", "eval", "my-job-name", "training-model"],
    ),
    (
        V2,
        "filter[created_at][gte]=2025-03-18&page_size=1&page=3",
        {"filter": {"created_at": {"gte": "2025-03-18"}}, "page_size": 1, "page": 3},
        ["my-job-name"],
    ),
    (
        V2,
        "filter[status]=completed&filter[project]=my-project&filter[created_at][gte]=2025-03-18",
        {"filter": {"status": "completed", "project": "my-project", "created_at": {"gte": "2025-03-18"}}},
        ["my-job-name"],
    ),
    (
        V2,
        "search[status]=active&search[status]=completed",
        {"search": {"status": ["active", "completed"]}},
        ["my-job-name", "training-model", "early"],
    ),
    (V2, "search[status]=active", {"search": {"status": "active"}}, ["training-model"]),
]


@pytest.mark.parametrize(("path", "query", "asked", "expected"), DOCUMENTED)
def test_a_documented_example_lists_what_it_says(
    service: Any, client: NeMoMicroservices, path: str, query: str, asked: dict[str, Any], expected: list[str]
) -> None:
    response = httpx.get(f"{service.url}{path}?{query}", timeout=WAIT_S)
    jobs = client.evaluation.jobs if path == V1 else client.v2.evaluation.jobs
    page = jobs.list(**asked)
    assert response.status_code == 200
    assert names(service, path, [job["id"] for job in response.json()["data"]]) == expected
    assert names(service, path, [str(job.id) for job in page.data]) == expected
    form = EvaluationJobsPage if path == V1 else EvaluatorV2JobsPage
    form.model_validate(response.json())


OTHERS = [
    ("filter[target][namespace]=other&filter[target][type]=rows", ["my-job-name", "eval"]),
    ("filter[target][model]=llama-3", ["early", "training-model", "retrain"]),
    ("filter[target][created_at][gt]=2025-01-01", ALL),
    ("filter[config][name]=sums", ["my-job-name", "eval"]),
    ("filter[custom_fields][team]=e", ["early", "eval"]),
    ("filter[created_at][neq]=2025-03-18T00:00:00", ["early", "my-job-name", "eval", "retrain"]),
    ("filter[created_at][eq]=2025-03-18 01:00:00%2B01:00", ["training-model"]),
    ("filter[updated_at][gte]=2025-03-20T18:00:00&filter[updated_at][lte]=2025-03-31", ["eval", "retrain"]),
    ("filter[status]=ready", []),
    ("filter[status]=pending", []),
    ("search[status]=fail,cancel", ["eval", "retrain"]),
    ("search[status]=ING", ["training-model"]),
    (
        "search[created_at][start]=2025-03-18&search[created_at][end]=2025-03-20",
        ["training-model", "my-job-name", "eval"],
    ),
    ("search[target]=rows&search[config]=org", []),
    ("search[target]=MODEL-TARGET,nothing", ["early", "training-model", "retrain"]),
    ("search[config][tasks][sums][type]=data", ["my-job-name", "eval"]),
    ("search[project]=the", ["eval", "retrain"]),
    ("search[anything]=at all", ALL),
    ("search[name]=%25", []),
    ("search[name]=,%20,", ALL),
    ("page=2", []),
    ("unknown=parameter", ALL),
]


@pytest.mark.parametrize(("query", "expected"), OTHERS)
def test_the_first_version_has_more_to_ask(
    service: Any, client: NeMoMicroservices, query: str, expected: list[str]
) -> None:
    response = httpx.get(f"{service.url}{V1}?{query}", timeout=WAIT_S)
    assert response.status_code == 200, response.text
    assert names(service, V1, [job["id"] for job in response.json()["data"]]) == expected


REFUSED = [
    (V2, "filter[status]=running", "use active"),
    (V2, "filter[status]=failed", "use error"),
    (V2, "filter[status]=active,completed", "filter takes one value; use search"),
    (V1, "filter[status]=running,completed", "filter takes one value; use search"),
    (V1, "filter[status]=running&filter[status]=completed", "filter takes one value; use search"),
    (V1, "filter[status]=active", "use running"),
    (V1, "filter[status]=lost", "use one of: created, running"),
    (V2, "filter[created_at][gt]=2025-03-18", "use gte"),
    (V2, "filter[created_at][lt]=2025-03-18", "use lte"),
    (V2, "filter[created_at]=2025-03-18", "use one of: gte, lte"),
    (V1, "filter[created_at][after]=2025-03-18", "use one of: eq, neq, gt, gte, lt, lte"),
    (V1, "filter[created_at][gt]=tomorrow", "write 2025-03-18"),
    (V2, "filter[target]=a/b", "filter by one of: namespace, name, project, status, created_at, updated_at"),
    (V1, "filter[nonsense]=1", "filter by one of: id, namespace"),
    (V1, "filter[target]=a", "write filter[target]=NAMESPACE/NAME"),
    (V1, "filter[target]=a/b&filter[target][name]=b", "give one of them"),
    (V1, "filter[target][nonsense]=1", "filter by one of: namespace, name, type"),
    (V1, "filter[custom_fields]=1", "write filter[custom_fields][KEY]=VALUE"),
    (V1, 'filter[custom_fields][a"b]=1', "cannot stand in a key"),
    (V1, "filter[namespace][x]=1", "write filter[namespace]=VALUE"),
    (V1, "filter[namespace]=", "the value is empty"),
    (V1, "filter[namespace]=%00", "NUL"),
    (V1, "filter=status", "write filter[FIELD]=VALUE"),
    (V1, "filter[]=x", "write filter[FIELD]=VALUE"),
    (V2, "search[config]=a", "search by one of: name, project, status"),
    (V1, "search[created_at]=2025", "[start]=TIME"),
    (V1, "search[namespace][x]=1", "write search[namespace]=TEXT"),
    (V1, "sort=name", "Input should be"),
    (V2, "page=0", "greater than or equal to 1"),
    (V2, "page=999999999999999999999", "less than or equal to"),
    (V1, "page_size=0", "greater than or equal to 1"),
]


@pytest.mark.parametrize(("path", "query", "message"), REFUSED)
def test_what_cannot_be_asked_is_refused_with_what_to_write(service: Any, path: str, query: str, message: str) -> None:
    response = httpx.get(f"{service.url}{path}?{query}", timeout=WAIT_S)
    assert response.status_code == 422
    [detail] = response.json()["detail"]
    assert message in detail["msg"]
    assert detail["loc"] == ["query", query.partition("=")[0].rsplit("&")[-1]] or "&" in query


def test_the_answer_repeats_what_was_asked_with_times_normalised(service: Any, client: NeMoMicroservices) -> None:
    query = "filter[namespace]=my-organization&filter[created_at][gte]=2025-03-31&search[name]=training,retrain"
    page = httpx.get(f"{service.url}{V1}?{query}", timeout=WAIT_S).json()
    assert {key: page[key] for key in page if key != "data"} == {
        "object": "list",
        "pagination": {"page": 1, "page_size": 10, "current_page_size": 1, "total_pages": 1, "total_results": 1},
        "sort": "created_at",
        "filter": {"namespace": "my-organization", "created_at": {"gte": "2025-03-31T00:00:00"}},
        "search": {"name": ["training", "retrain"]},
    }


def test_all_pages_are_iterated_as_documented(client: NeMoMicroservices) -> None:
    found, page = [], 1
    while True:
        response = client.v2.evaluation.jobs.list(filter={"project": "my-project"}, page=page, page_size=2)
        found.extend(response.data)
        assert response.pagination is not None
        if page >= (response.pagination.total_pages or 0):
            break
        page += 1
    assert [job.name for job in found] == ["my-job-name", "training-model", "early"]
    assert [job.name for job in client.v2.evaluation.jobs.list(sort="created_at", page_size=2)] == ALL


def test_a_date_object_of_the_client_is_understood(client: NeMoMicroservices) -> None:
    moment = datetime(2025, 3, 20, tzinfo=UTC)
    nested: Any = {"target": {"namespace": "other", "custom_fields": {"k": "v"}}, "config": "other/sums"}
    since: Any = {"created_at": {"gte": moment}}
    assert len(client.evaluation.jobs.list(filter=since).data) == 2
    assert len(client.evaluation.jobs.list(search={"created_at": {"start": moment, "end": "2025-03-20"}}).data) == 1
    assert client.evaluation.jobs.list(filter=nested).data == []


def test_targets_and_configs_are_filtered_as_documented(service: Any, client: NeMoMicroservices) -> None:
    targets: Callable[..., Any] = client.evaluation.targets.list
    configs: Callable[..., Any] = client.evaluation.configs.list
    assert [
        each.name for each in targets(filter={"namespace": "my-organization", "name": "my-model-target-1"}).data
    ] == ["my-model-target-1"]
    assert [each.name for each in configs(filter={"type": "gsm8k"}).data] == ["gsm"]
    assert [each.name for each in targets(filter={"model": "llama-3"}).data] == ["my-model-target-1"]
    assert [each.name for each in targets(search={"model": "LLAMA", "type": ["mod", "ro"]}).data] == [
        "my-model-target-1"
    ]
    assert [each.name for each in configs(search={"tasks": {"qa": {"type": "chat"}}}, sort="-created_at").data] == [
        "my-gsm8k-config-1"
    ]
    for query, total in [("targets?filter[type]=rows", 1), ("configs?search[tasks]=sums", 1), ("targets?page=9", 2)]:
        page = httpx.get(f"{service.url}/v1/evaluation/{query}", timeout=WAIT_S).json()
        assert page["pagination"]["total_results"] == total


def test_results_are_found_by_their_job(client: NeMoMicroservices) -> None:
    results = [client.evaluation.results.create(job=f"eval-{job}") for job in ("a", "a", "only-one")]
    found = client.evaluation.results.list(filter={"job_id": "eval-a"}).data
    assert [each.id for each in found] == [results[0].id, results[1].id]
    assert [each.job for each in client.evaluation.results.list(search={"job": "ONLY-o"}).data] == ["eval-only-one"]
