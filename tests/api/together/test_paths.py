import pytest

from api.app import FACES
from api.together.routes.paths import canonical


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/v1/files/file-1", "/v1/files/file-1"),
        ("/v1/v1/evaluation/", "/v1/evaluation"),
        ("/v1/v3/whoami", "/v3/whoami"),
        ("/v1/evaluations/", "/v1/evaluations"),
        ("/v1/evaluation/jobs/", "/v1/evaluation/jobs/"),
        ("/v2/evaluation/jobs", "/v2/evaluation/jobs"),
        ("/v1/v10", "/v1/v10"),
    ],
)
def test_a_path_has_one_form(path: str, route: str) -> None:
    assert canonical(path, FACES) == route
    assert canonical(route, FACES) == route


def test_no_path_of_the_face_is_redirected(service):
    for path in ("/v1/files/", "/v1/v1/files/", "/v3/whoami/", "/v1/evaluation/", "/v1/evaluations/"):
        assert service.http.get(path).status_code == 200
    error = service.http.get("/v1/v1/nothing").json()
    assert error["error"]["code"] == "not_found"
