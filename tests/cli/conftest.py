import pytest

from tests.api.conftest import Service
from tests.api.conftest import database_url as database_url
from tests.api.conftest import service as service


@pytest.fixture
def at(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The API of `service`, which the command line then speaks to."""
    monkeypatch.setenv("ASSAY_URL", service.url)
    return service
