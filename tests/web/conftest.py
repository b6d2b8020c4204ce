from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.http.state import State
from core.settings import Settings
from store.workspace import Workspace

KEY = "a-key-0123456789"


@dataclass(frozen=True)
class Site:
    """The pages over a home of their own; `http` follows no redirects."""

    state: State
    http: TestClient

    def get(self, path: str, status: int = 200) -> str:
        """Return the text of a page, as a browser asks for it."""
        answer = self.http.get(path, headers={"accept": "text/html"})
        assert answer.status_code == status, answer.text
        return answer.text


def site_over(settings: Settings) -> Site:
    state = State.over(Workspace.open(settings, migrating=True), wake=lambda: None, ready=lambda: True)
    return Site(state, TestClient(create_app(state), base_url="http://127.0.0.1:7331", follow_redirects=False))


@pytest.fixture(scope="module")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Open a site over a home, or a new one, with or without a key."""
    sites: list[Site] = []

    def make(home: Path | None = None, *, key: str | None = None, **settings: Any) -> Site:
        keys = (SecretStr(key),) if key else ()
        sites.append(site_over(Settings(home=home or tmp_path_factory.mktemp("home"), api_keys=keys, **settings)))
        return sites[-1]

    yield make
    for site in sites:
        site.state.close()


@pytest.fixture(scope="module")
def site(make_site) -> Site:
    return make_site()
