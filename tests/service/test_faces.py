"""One core behind all faces: the same questions come to the same figures, also where all are asked at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests import faces
from tests.conftest import WAIT_S, Served, until
from tests.questions import FATES, OUTCOMES, Models, Questions
from tests.scripted import ScriptedEndpoint

KINDS: tuple[Callable[[httpx.Client, str], faces.Client], ...] = (
    faces.NemoV1,
    faces.NemoV2,
    faces.Together,
    faces.Nugen,
    faces.Maniac,
    faces.Native,
)


@pytest.fixture
def clients(served: Served, default_endpoint: ScriptedEndpoint) -> Iterator[list[faces.Client]]:
    """A client of each face, with a connection of its own; a test gives the models their script."""
    usual = default_endpoint.script
    default_endpoint.calls.clear()
    with ExitStack() as stack:
        opened = [stack.enter_context(httpx.Client(base_url=served.url, timeout=WAIT_S)) for _ in KINDS]
        yield [kind(http, default_endpoint.url) for kind, http in zip(KINDS, opened, strict=True)]
    default_endpoint.script = usual


def test_the_same_questions_come_to_the_same_figures_through_every_face(clients, default_endpoint):
    questions, native = Questions("alike"), clients[-1]
    default_endpoint.script = Models(questions)
    created = {client.create(questions): client for client in clients}
    until("all jobs to end", lambda: all(client.has_ended(job_id) for job_id, client in created.items()))
    for job_id, client in created.items():
        job = native.job(job_id)
        assert (job["status"], job["face"], job["failure"]) == ("completed", client.face, None)
        assert client.figures(job_id) == questions.figures
        assert native.figures_of(job_id, client.score) == questions.figures
        assert native.samples_of(job_id, client.score) == questions.samples
    assert len({outcome for _, outcome, _ in questions.samples}) == 1 + len(OUTCOMES)
    assert len(default_endpoint.calls) == len(clients) * (2 * len(FATES) - 2)  # nobody judges what is not there


def test_the_clients_of_all_faces_work_at_the_same_time_and_see_their_own(clients, default_endpoint):
    sets = {client: Questions(f"own{n}", FATES[n:] + FATES) for n, client in enumerate(clients)}
    default_endpoint.script = Models(*sets.values())

    def work(client: faces.Client) -> str:
        job_id = client.create(sets[client])
        until(f"{job_id} to end", lambda: client.has_ended(job_id))
        assert client.figures(job_id) == sets[client].figures
        return job_id

    with ThreadPoolExecutor(len(clients)) as pool:
        created = dict(zip(clients, pool.map(work, clients), strict=True))
    native, ids = clients[-1], set(created.values())
    for client, job_id in created.items():
        assert native.samples_of(job_id, client.score) == sets[client].samples
        own = ids if client is native else {created[each] for each in clients if each.face == client.face}
        assert ids & set(client.listed()) == own
    assert len(ids) == len(clients)
