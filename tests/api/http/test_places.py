"""Datasets that are known to be nowhere are refused when a job is asked for, and not when it runs."""

from typing import Any

import pytest

CHECK = {"type": "string-check", "params": {"check": ["{{item.a}}", "equals", "a"]}}
V2, NATIVE = "/v2/evaluation/jobs", "/api/assay/v1/jobs"


def nemo(dataset: dict[str, Any]) -> dict[str, Any]:
    target = {"type": "dataset", "dataset": dataset}
    return {
        "spec": {
            "target": target,
            "config": {"type": "custom", "tasks": {"t": {"type": "data", "metrics": {"m": CHECK}}}},
        }
    }


def native(dataset: dict[str, Any]) -> dict[str, Any]:
    metric = {"type": "string-check", "name": "m", "left": "{{a}}", "operator": "equals", "right": "a"}
    fields = {"url": dataset["files_url"], "hub": dataset.get("hf_endpoint"), "kind": "files"}
    return {
        "spec": {"targets": [{"kind": "recorded"}], "tasks": [{"name": "t", "dataset": fields, "metrics": [metric]}]}
    }


PLACES = [
    ({"files_url": "hf://datasets/a/b/c.jsonl", "hf_endpoint": "http://127.0.0.1:1"}, "its hub is none"),
    (
        {"files_url": "hf://datasets/a/b/c.jsonl", "hf_endpoint": "https://huggingface.co.evil.example"},
        "its hub is none",
    ),
    ({"files_url": "hf://datasets/a/" + "b" * 300 + "/c.jsonl"}, "too long"),
    ({"files_url": "hf://datasets/a/" + "b/" * 5_000}, "too long"),
    ({"files_url": "hf://datasets/a/" + "é" * 200}, "too long"),
    ({"files_url": "hf://datasets/a/../../etc/passwd"}, "is not of the form"),
    ({"files_url": "hf://datasets/a/b/c\x00.jsonl"}, "is not of the form"),
    ({"files_url": "/etc/passwd"}, "is no dataset"),
    ({"files_url": "http://127.0.0.1/x" + "y" * 5_000}, "is no dataset"),
]


@pytest.mark.parametrize(("dataset", "reason"), PLACES, ids=range(len(PLACES)))
@pytest.mark.parametrize(("path", "body"), [(V2, nemo), (NATIVE, native)], ids=["nemo", "native"])
def test_a_dataset_that_is_nowhere_is_refused(service, path, body, dataset, reason):
    refused = service.http.post(path, json=body(dataset))
    assert refused.status_code == 422, refused.text
    assert reason in refused.text
    assert len(refused.content) < 2_000


@pytest.mark.parametrize(
    "name", ["x" * 300, "x" * 5_000, "é" * 200, "x/" * 300, "%2e%2e%2f" * 200, "a%00b"], ids=range(6)
)
@pytest.mark.parametrize(
    "path",
    ["/v2/evaluation/jobs/{}", "/v2/evaluation/jobs/{}/logs", "/v1/evaluation/jobs/{}/download-results",
     "/v1/evaluation/targets/ns/{}", "/api/assay/v1/jobs/{}", "/api/assay/v1/jobs/{}/samples", "/v1/files/{}/content",
     "/v1/evaluation/{}", "/api/v3/evaluations/{}", "/v1/datasets/{}", "/uploads/{}"],
)  # fmt: skip
def test_a_long_name_in_a_path_is_no_fault_of_the_service(service, path, name):
    assert service.http.get(path.format(name)).status_code < 500
