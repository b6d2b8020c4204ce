ENTITY = {"get", "patch", "delete"}
ROUTES = {
    "/health": {"get"},
    "/api/assay/v1/comparisons": {"get"},
    "/api/assay/v1/comparisons/samples": {"get"},
    "/api/assay/v1/files": {"get", "post"},
    "/api/assay/v1/files/{file_id}": {"delete"},
    "/api/assay/v1/files/{file_id}/renew": {"post"},
    "/api/assay/v1/jobs": {"get", "post"},
    "/api/assay/v1/jobs/{job_id}": {"get", "delete"},
    "/api/assay/v1/jobs/{job_id}/cancel": {"post"},
    "/api/assay/v1/jobs/{job_id}/logs": {"get"},
    "/api/assay/v1/jobs/{job_id}/pause": {"post"},
    "/api/assay/v1/jobs/{job_id}/resume": {"post"},
    "/api/assay/v1/jobs/{job_id}/retry": {"post"},
    "/api/assay/v1/jobs/{job_id}/rerun": {"post"},
    "/api/assay/v1/jobs/{job_id}/verdicts": {"get", "put", "delete"},
    "/api/assay/v1/jobs/{job_id}/usage": {"get"},
    "/api/assay/v1/jobs/{job_id}/samples": {"get"},
    "/api/assay/v1/jobs/{job_id}/samples/{task}/{number}": {"get"},
    "/api/assay/v1/jobs/{job_id}/statistics": {"get"},
    "/api/assay/v1/jobs/{job_id}/summaries": {"get"},
    "/api/v3/benchmark/list": {"get"},
    "/api/v3/benchmark/status/{benchmark_id}": {"get"},
    "/api/v3/benchmark/upload": {"post"},
    "/api/v3/benchmark/{benchmark_id}": {"delete"},
    "/api/v3/benchmark/{benchmark_id}/data": {"get"},
    "/api/v3/evaluations": {"get", "post"},
    "/api/v3/evaluations/{evaluation_id}": {"get", "delete"},
    "/api/v3/evaluations/{evaluation_id}/download": {"get"},
    "/api/v3/evaluations/{evaluation_id}/results": {"get"},
    "/api/v3/evaluations/{evaluation_id}/status": {"get"},
    "/v1/evaluation/targets": {"get", "post"},
    "/v1/evaluation/targets/{namespace}/{name}": ENTITY,
    "/v1/evaluation/configs": {"get", "post"},
    "/v1/evaluation/configs/{namespace}/{name}": ENTITY,
    "/v1/evaluation/jobs": {"get", "post"},
    "/v1/evaluation/jobs/{job_id}": {"get", "delete"},
    "/v1/evaluation/jobs/{job_id}/cancel": {"post"},
    "/v1/evaluation/jobs/{job_id}/download-results": {"get"},
    "/v1/evaluation/jobs/{job_id}/logs": {"get"},
    "/v1/evaluation/jobs/{job_id}/results": {"get"},
    "/v1/evaluation/jobs/{job_id}/status": {"get"},
    "/v1/evaluation/live": {"post"},
    "/v1/evaluation/results": {"get", "post"},
    "/v1/evaluation/results/{result_id}": ENTITY,
    "/v1/evaluation": {"get", "post"},
    "/v1/evaluation/model-list": {"get"},
    "/v1/evaluation/{job_id}": {"get"},
    "/v1/evaluation/{job_id}/status": {"get"},
    "/v1/chat/completions": {"get", "post"},
    "/v1/chat/completions/register": {"post"},
    "/v1/chat/completions/{completion_id}": {"get"},
    "/v1/containers": {"get", "post"},
    "/v1/containers/{label}": {"get", "patch", "delete"},
    "/v1/datasets": {"get", "post"},
    "/v1/datasets/{dataset_id}": {"get"},
    "/v1/evaluation/runs": {"get", "post"},
    "/v1/evaluation/runs/{run_id}": {"get"},
    "/v1/evaluation/runs/{run_id}/cancel": {"post"},
    "/v1/evaluators": {"get", "post"},
    "/v1/evaluators/{evaluator}": {"get", "patch", "delete"},
    "/v1/evaluations": {"get"},
    "/v1/files": {"get", "post"},
    "/v1/files/multipart/abort": {"post"},
    "/v1/files/multipart/complete": {"post"},
    "/v1/files/multipart/initiate": {"post"},
    "/v1/files/upload": {"post"},
    "/v1/files/{file_id}": {"get", "delete"},
    "/v1/files/{file_id}/content": {"get"},
    "/v1/files/{file_id}/preprocess": {"post"},
    "/v1/jobs": {"get"},
    "/v1/whoami": {"get"},
    "/v3/whoami": {"get"},
    "/uploads/{token}": {"put"},
    "/uploads/{token}/{number}": {"put"},
    "/v1/jobs/{job_id}": {"get", "delete"},
    "/v1/jobs/{job_id}/cancel": {"post"},
    "/v1/jobs/{job_id}/logs": {"get"},
    "/v1/jobs/{job_id}/pause": {"post"},
    "/v1/jobs/{job_id}/results": {"get"},
    "/v1/jobs/{job_id}/results/{result_name}": {"get"},
    "/v1/jobs/{job_id}/resume": {"post"},
    "/v1/jobs/{job_id}/status": {"get"},
    "/v2/evaluation/jobs": {"get", "post"},
    "/v2/evaluation/jobs/{job_id}": {"get", "delete"},
    "/v2/evaluation/jobs/{job_id}/cancel": {"post"},
    "/v2/evaluation/jobs/{job_id}/logs": {"get"},
    "/v2/evaluation/jobs/{job_id}/pause": {"post"},
    "/v2/evaluation/jobs/{job_id}/results": {"get"},
    "/v2/evaluation/jobs/{job_id}/results/artifacts/download": {"get"},
    "/v2/evaluation/jobs/{job_id}/results/evaluation-results/download": {"get"},
    "/v2/evaluation/jobs/{job_id}/results/{result_name}": {"get"},
    "/v2/evaluation/jobs/{job_id}/resume": {"post"},
    "/v2/evaluation/jobs/{job_id}/status": {"get"},
}


def test_health_tells_whether_a_job_can_run(service):
    service.is_ready = False
    response = service.http.get("/health")
    assert (response.status_code, response.json()) == (503, {"status": "starting"})
    service.is_ready = True
    response = service.http.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "healthy"})


def test_an_unknown_path_or_method_has_a_detail(service):
    assert service.http.get("/v3/evaluation/jobs").json() == {"detail": "Not Found"}
    response = service.http.delete("/health")
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})


def test_the_schema_says_what_this_is_and_how_lists_are_narrowed(service):
    schema = service.http.get("/openapi.json").json()
    assert "by changing the base URL" in schema["info"]["description"]
    used = {
        tag for each in schema["paths"].values() for operation in each.values() for tag in operation.get("tags", ())
    }
    assert schema["tags"][0]["name"] == "Assay"
    assert used == {tag["name"] for tag in schema["tags"]}
    assert schema["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path in ("/api/assay/v1/jobs", "/api/assay/v1/jobs/{job_id}/samples", "/v1/evaluation/jobs"):
        parameters = {each["name"]: each for each in schema["paths"][path]["get"]["parameters"]}
        assert parameters["filter"]["style"] == parameters["search"]["style"] == "deepObject"


def test_the_schema_shows_every_route_of_the_faces(service):
    schema = service.http.get("/openapi.json").json()
    assert {path: set(methods) for path, methods in schema["paths"].items()} == ROUTES
    assert {"JobCreate", "JobCreateV1"} <= set(schema["components"]["schemas"])
    operations = [operation["operationId"] for each in schema["paths"].values() for operation in each.values()]
    assert len(operations) == len(set(operations))
