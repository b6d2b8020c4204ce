ENTITY = {"get", "patch", "delete"}
ROUTES = {
    "/health": {"get"},
    "/api/assay/v1/jobs": {"get", "post"},
    "/api/assay/v1/jobs/{job_id}": {"get", "delete"},
    "/api/assay/v1/jobs/{job_id}/cancel": {"post"},
    "/api/assay/v1/jobs/{job_id}/logs": {"get"},
    "/api/assay/v1/jobs/{job_id}/pause": {"post"},
    "/api/assay/v1/jobs/{job_id}/resume": {"post"},
    "/api/assay/v1/jobs/{job_id}/samples": {"get"},
    "/api/assay/v1/jobs/{job_id}/summaries": {"get"},
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
    "/v1/jobs": {"get"},
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


def test_the_schema_shows_every_route_of_the_faces(service):
    schema = service.http.get("/openapi.json").json()
    assert {path: set(methods) for path, methods in schema["paths"].items()} == ROUTES
    assert {"JobCreate", "JobCreateV1"} <= set(schema["components"]["schemas"])
    operations = [operation["operationId"] for each in schema["paths"].values() for operation in each.values()]
    assert len(operations) == len(set(operations))
