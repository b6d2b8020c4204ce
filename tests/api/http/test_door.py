"""Requests of other sites and under strange names, on a real socket."""

import pytest

JOBS = ("/v2/evaluation/jobs", "/v1/evaluations", "/api/v3/evaluations", "/v1/evaluators", "/uploads/x", "/health")


@pytest.mark.parametrize("path", JOBS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_no_face_answers_another_site_or_a_strange_name(service, path, headers, method):
    response = service.http.request(method, path, headers=headers)
    assert response.status_code == 403
    assert "detail" in response.json() or "error" in response.json()


def test_programs_and_pages_of_its_own_are_answered(service):
    assert service.http.get("/health").is_success
    assert service.http.get("/health", headers={"Origin": service.url, "Sec-Fetch-Site": "same-origin"}).is_success
