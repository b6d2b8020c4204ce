import pytest


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/namespaces"),
        ("GET", "/v1/namespaces"),
        ("GET", "/v1/namespaces/n"),
        ("DELETE", "/v1/namespaces/n"),
        ("POST", "/v1/datasets"),
    ],
)
def test_what_nemos_entity_store_keeps_is_refused_with_what_to_do_instead(service, method, path):
    body = {"id": "n", "name": "d", "namespace": "n", "files_url": "hf://datasets/n/d"} if method == "POST" else None
    answer = service.http.request(method, path, json=body)
    assert answer.status_code == 501
    assert "nothing has to be created before" in answer.text
    assert "ASSAY_DATASETS" in answer.text
