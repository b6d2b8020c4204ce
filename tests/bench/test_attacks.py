"""The attacks in their short form: a few tries on the service of the suite, and that a success would be told."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from bench.attacks import bodies, bombs, doors, sandbox, templates, urls
from bench.attacks.__main__ import AREAS
from bench.attacks.jobs import Ended, harm
from bench.attacks.site import Canary, Site, Try
from tests.conftest import Served
from tests.scripted import Answer, ScriptedEndpoint
from tests.tasks.datasets.bombs import PACKED, TABLES
from tests.tasks.datasets.hub import BAD_NAMES, Hub
from tests.tasks.templates.hostile import from_grammar, known


@pytest.fixture
def site(served: Served, endpoint: ScriptedEndpoint) -> Iterator[Site]:
    canary = Canary()
    user, _, password = served.prefect_sign_in.partition(":")
    with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as http:
        around = (served.home, http, endpoint, Hub(), canary, served.prefect_api)
        yield Site(served.url, *around, sign_in=(user, password))
    canary.close()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("attack", "most"),
    [(sandbox.attack, 1), (templates.attack, 1), (bodies.attack, 40), (doors.attack, 1)],
    ids=["sandbox", "templates", "bodies and queries", "Prefect's doors"],
)
def test_no_try_succeeds(site: Site, attack: Callable[[Site], Iterator[Try]], most: int) -> None:
    site.most = most
    tries = list(attack(site))
    assert len(tries) >= most
    assert [each for each in tries if each.success] == []


def test_there_are_as_many_tries_as_there_are_to_be() -> None:
    goals = {area: number for area, (_, number) in AREAS.items()}
    assert len(sandbox.sources()) >= goals["sandbox"]
    assert 2 * len(urls.urls("a", 1)) + 30 >= goals["URLs"]
    assert len([*known(), *from_grammar(templates.RANDOM)]) >= goals["templates"]
    assert len(bombs.FILES) + len(PACKED) + len(TABLES) + 2 * len(bombs.ANSWERS) >= goals["bombs"]
    assert len(BAD_NAMES) * 4 >= goals["hubs"] - 20


def test_an_error_of_the_service_s_is_a_success_of_the_attack(site: Site, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = lambda _: Answer(status=500)
    with httpx.Client(base_url=endpoint.url, trust_env=False) as http:
        tried = bodies.Sender(http).send("a body", "POST", "/chat/completions", json={})
    assert "500" in (tried.success or "")
    failed = {"status": "failed", "failure": {"blame": "service", "code": "internal_error", "message": "m"}}
    assert harm(Ended(site, httpx.Response(201), failed)) == "it ended as failed: internal_error: m"
    assert "had not ended" in (harm(Ended(site, httpx.Response(201), {"status": "running"})) or "")
    assert harm(Ended(site, httpx.Response(201), {"status": "completed"})) is None
