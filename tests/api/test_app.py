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


def test_the_schema_shows_every_route_of_the_face(service):
    schema = service.http.get("/openapi.json").json()
    jobs = "/v2/evaluation/jobs"
    assert {
        jobs,
        f"{jobs}/{{job_id}}",
        f"{jobs}/{{job_id}}/cancel",
        f"{jobs}/{{job_id}}/status",
        f"{jobs}/{{job_id}}/results",
        f"{jobs}/{{job_id}}/results/evaluation-results/download",
        "/health",
    } == set(schema["paths"])
    assert "JobCreate" in schema["components"]["schemas"]
