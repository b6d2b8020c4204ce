import pytest
from pydantic import ValidationError

from core.endpoint import Endpoint


@pytest.mark.parametrize("url", ["http://user:key@model.example/v1", "https://key@model.example", "//a:b@host"])
def test_an_endpoint_takes_no_key_in_its_url(url: str) -> None:
    with pytest.raises(ValidationError, match="api_key") as refused:
        Endpoint(url=url, model="m")
    assert refused.value.errors()[0]["loc"] == ("url",)


@pytest.mark.parametrize("url", [None, "http://model.example/v1?team=a@b", "http://127.0.0.1:8000/v1"])
def test_an_endpoint_takes_other_urls_as_they_are(url: str | None) -> None:
    assert Endpoint(url=url, model="m").url == url
