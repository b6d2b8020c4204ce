"""What Prometheus reads: figures of the job tables, behind the same keys as all else."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from api.app import create_app
from api.metrics import families
from core.counted import Tally
from core.job import utcnow
from core.result import Call, CallKey, Usage
from store.db.measures import Measured
from tests.conftest import WAIT_S

KEY = "a-key-0123456789"
CALL_KEY = CallKey("a-task", 0, "a-target", 0, "target", "", 0)


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    read = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value for sample in read
    }


@pytest.fixture(scope="module")
def scraped(service):
    tally = Tally()
    for seconds in (0.05, 0.2, 999.0):
        usage = Usage(prompt_tokens=10, completion_tokens=1)
        tally.add('m"\n', Call(CALL_KEY, "answered", "{}", seconds=seconds, attempts=2, usage=usage))
    service.state.measures.add(tally.take())
    answer = service.http.get("/metrics", timeout=WAIT_S)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return samples(answer.text)


def test_calls_are_counted_by_model_and_outcome_with_retries_and_tokens(scraped):
    model = 'm"\n'
    assert scraped["assay_calls_total", (model, "answered")] == 3
    assert scraped["assay_call_retries_total", (model,)] == 3
    assert scraped["assay_tokens_total", ("prompt", model)] == 30


def test_latencies_are_a_histogram_whose_buckets_add_up(scraped):
    buckets = {labels[0]: value for (name, labels), value in scraped.items() if name == "assay_call_seconds_bucket"}
    assert (buckets["0.1"], buckets["0.25"], buckets["600.0"], buckets["+Inf"]) == (1, 2, 2, 3)
    assert scraped["assay_call_seconds_count", ('m"\n',)] == 3
    assert scraped["assay_call_seconds_sum", ('m"\n',)] == pytest.approx(999.25)


def test_every_status_is_there_and_the_service_says_if_it_is_ready(service, scraped):
    assert scraped["assay_ready", ()] == 1
    assert {labels for (name, labels) in scraped if name == "assay_jobs"} >= {("created",), ("failed",), ("unknown",)}


def test_the_queue_s_age_is_that_of_the_oldest_job_that_waits():
    now = utcnow()
    measured = Measured({}, now - timedelta(minutes=3), 0, 0, {})
    found = {family.name: family for family in families(measured, ready=True, now=now)}
    assert found["assay_queue_age_seconds"].samples[0].value == 180


def test_metrics_are_behind_the_same_keys_as_all_else(service):
    settings = service.state.settings.model_copy(update={"api_keys": (SecretStr(KEY),)})
    http = TestClient(create_app(replace(service.state, settings=settings)), "http://127.0.0.1")
    assert http.get("/metrics").status_code == 401
    answer = http.get("/metrics", headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    assert not any(word in answer.text for word in (KEY, "a-task", "a-target"))
