"""What users have of each release does all that it did, with the code as it is now."""

import json
import re
import socket
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.state import State
from core.job import Face, Job
from core.metric import Judge
from core.settings import Settings
from core.spec import EvaluationSpec
from store.results.views import query
from store.workspace import Workspace
from tasks.fsck.results import fsck
from tasks.summaries.aggregator import complete_summaries
from tests import faces
from tests.api.conftest import running
from tests.golden.make import FACES, JOURNALLED, KEY, ROWS, UNFINISHED, questions_of
from tests.questions import NO_ANSWER, WITHHELD, Models
from tests.scripted import ScriptedEndpoint
from tests.tasks.conftest import Lab

RELEASES = sorted(Path(__file__).parent.glob("*.tar.gz"), key=lambda path: path.name)
ENDED = {"completed", "failed"}
PAGES: dict[Face, tuple[str, ...]] = {
    "nemo-v1": tuple(f"/v1/evaluation/jobs/{{id}}{page}" for page in ("", "/results", "/download-results")),
    "nemo-v2": tuple(
        f"/v2/evaluation/jobs/{{id}}{page}"
        for page in ("", "/results", "/results/evaluation-results/download", "/results/artifacts/download")
    ),
    "together": ("/v1/evaluation/{id}", "/v1/evaluation/{id}/status"),
    "nugen": tuple(f"/api/v3/evaluations/{{id}}{page}" for page in ("", "/status", "/results", "/download")),
    "maniac": ("/v1/evaluation/runs/{id}",),
}


@dataclass
class Golden:
    """A home of a release, opened with the code as it is, and what its jobs are called."""

    workspace: Workspace
    made: dict[str, str]
    http: httpx.Client
    model: ScriptedEndpoint

    @property
    def native(self) -> faces.Native:
        return faces.Native(self.http, self.model.url)

    def samples(self, name: str, **asked: str) -> httpx.Response:
        return self.http.get(f"/api/assay/v1/jobs/{self.made[name]}/samples", params=asked).raise_for_status()


def unpacked(release: Path, folder: Path) -> dict[str, str]:
    """Put the home of a release into a folder, and return the ids of its jobs by what they are."""
    with tarfile.open(release) as tar:
        tar.extractall(folder, filter="data")
    made: dict[str, str] = json.loads((folder / "made.json").read_text())
    return made


def at_model(job: Job, model: ScriptedEndpoint) -> Job:
    """Return a job whose models are where they can be asked now."""
    assert job.spec
    moved = re.sub(r"http://127\.0\.0\.1:\d+/v1", model.url, job.spec.model_dump_json())
    return replace(job, spec=EvaluationSpec.model_validate_json(moved))


@contextmanager
def opened(home: Path, endpoint: ScriptedEndpoint) -> Iterator[tuple[Workspace, httpx.Client]]:
    """Serve the API over a home, as `assay serve` would after an upgrade."""
    settings = Settings(home=home, default_endpoint=endpoint.url, default_judge="judge")
    with (
        closing(Workspace.open(settings, migrating=True)) as workspace,
        socket.create_server(("127.0.0.1", 0)) as listening,
        httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as http,
        running(State.over(workspace, wake=lambda: None, ready=lambda: True), listening),
    ):
        yield workspace, http


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path, endpoint: ScriptedEndpoint) -> Iterator[Golden]:
    endpoint.script = Models(*UNFINISHED)
    made = unpacked(request.param, tmp_path)
    with opened(tmp_path / "home", endpoint) as (workspace, http):
        yield Golden(workspace, made, http, endpoint)


def test_every_face_lists_and_shows_its_job_with_its_figures(golden: Golden) -> None:
    for kind in FACES:
        client, job_id = kind(golden.http, golden.model.url), golden.made[kind.face]
        assert job_id in client.listed()
        assert client.has_ended(job_id)
        assert client.figures(job_id) == questions_of(kind).figures
        assert golden.native.samples_of(job_id, kind.score) == questions_of(kind).samples
    listed = {job["id"]: job["status"] for job in golden.native.get("/api/assay/v1/jobs", page_size=100)["data"]}
    assert listed.keys() == set(golden.made.values())
    assert listed[golden.made["failed"]] == "failed"
    assert golden.native.job(golden.made["failed"])["failure"]["code"] == "endpoint_refused"


def test_samples_are_filtered_sorted_and_exported(golden: Golden) -> None:
    lost = golden.samples("nemo-v2", **{"filter[outcome]": "judge_unparsable"}).json()["data"]
    assert [row["output"] for row in lost] == ["answer nemov2 10"]
    best = golden.samples("together", **{"filter[score.score][gte]": "0.875", "sort": "-score.score"}).json()["data"]
    assert [row["scores"][0]["value"] for row in best] == [1.0, 1.0, 1.0, 0.875]
    rows = golden.samples("computed", format="jsonl").text.splitlines()
    assert [json.loads(row)["item"] for row in rows] == ROWS
    assert len(golden.samples("computed", format="csv").text.splitlines()) == 1 + len(ROWS)
    assert golden.samples("computed", format="parquet").content.startswith(b"PAR1")
    archive = golden.http.get(f"/v1/evaluation/jobs/{golden.made['nemo-v1']}/download-results")
    assert archive.raise_for_status().content.startswith(b"PK")


def test_a_sample_is_shown_whole_with_what_its_judge_was_asked(golden: Golden) -> None:
    for kind in FACES:
        task = golden.samples(kind.face).json()["data"][0]["task"]
        path = f"/api/assay/v1/jobs/{golden.made[kind.face]}/samples/{task}/0"
        (output,) = golden.http.get(path).raise_for_status().json()["outputs"]
        assert output["exchange"]["reply"]["text"] == output["output"] == questions_of(kind).output(0)
        (graded,) = (metric for metric in output["metrics"] if metric["type"] == "judge")
        asked = graded["exchanges"][0]
        assert output["output"] in asked["sent"][-1]["text"]
        assert (asked["outcome"], asked["paid_by"]) == ("answered", None)


def test_sql_joins_the_jobs_of_all_releases(golden: Golden) -> None:
    answer = query(
        golden.workspace.results,
        "SELECT j.face, j.status, j.request IS NULL, s.mean FROM summaries s JOIN jobs j USING (job_id) "
        "WHERE s.name = 'string-check' OR (s.name = 'score' AND j.face = 'together') ORDER BY j.face",
    )
    figures = questions_of(faces.Together).figures
    assert [row[:2] for row in answer.rows] == [("nemo-v2", "completed"), ("together", "completed")]
    assert [row[3] for row in answer.rows] == [0.5, figures.mean]


def test_how_sure_an_older_job_is_of_its_figures_is_made_from_its_rows(golden: Golden) -> None:
    folder = golden.workspace.folder(golden.made["nemo-v2"])
    stored, whole = folder.read_summaries(), complete_summaries(folder)
    assert stored
    assert whole
    unknown: dict[str, Any] = dict.fromkeys(folder.later_fields("summaries", 0))
    assert [replace(each, **unknown) for each in whole] == stored
    assert None not in {each.ci_method for each in whole}
    shown = golden.native.get(f"/api/assay/v1/jobs/{folder.job_id}/summaries")["data"]
    assert [(each["ci_low"], each["ci_high"]) for each in shown] == [(each.ci_low, each.ci_high) for each in whole]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", FACES, ids=lambda kind: kind.face)
def test_no_byte_of_a_face_changes_with_what_is_known_of_its_figures(golden: Golden, kind: type[faces.NemoV2]) -> None:
    folder = golden.workspace.folder(golden.made[kind.face])
    pages = [page.format(id=folder.job_id) for page in PAGES[kind.face]]
    before = [golden.http.get(page).raise_for_status().content for page in pages]
    folder.write_summaries(complete_summaries(folder) or [])
    assert folder.later_fields("summaries", 0) == []
    assert [golden.http.get(page).raise_for_status().content for page in pages] == before


@pytest.fixture
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two releases the code has the number of the one before, and may read replies otherwise already."""
    monkeypatch.setattr("tasks.fsck.results.version", lambda _: "later")


@pytest.mark.usefixtures("_later")
def test_nothing_differs_for_fsck(golden: Golden) -> None:
    for job_id in golden.made.values():
        report = fsck(golden.workspace.folder(job_id))
        assert report.difference is None
        assert (report.status in ENDED) == (job_id != golden.made["unfinished"])


def test_what_was_stored_is_there_with_its_key(golden: Golden) -> None:
    target = golden.workspace.targets.get("default", "golden")
    assert golden.workspace.vault.unseal(target.body)["model"]["api_endpoint"]["api_key"] == KEY
    assert golden.workspace.configs.get("default", "golden").body["tasks"]["qa"]["type"] == "data"
    assert len(golden.native.get("/v1/files")["data"]) >= 3
    assert golden.native.get("/v1/evaluators")["data"]
    assert golden.native.get("/api/v3/benchmark/list")


@pytest.mark.usefixtures("_later")
def test_a_job_that_was_cut_short_goes_on_and_pays_no_call_twice(golden: Golden) -> None:
    lab = Lab(golden.workspace, golden.model)
    job_id = golden.made["unfinished"]
    summaries = {summary.task: summary for summary in lab.carry_out(golden.workspace.jobs.get(job_id))}
    first, second = UNFINISHED
    assert {name: summary.mean for name, summary in summaries.items()} == {
        questions.tag: questions.figures.mean for questions in UNFINISHED
    }
    to_target = [call for call in golden.model.calls if call["body"]["model"] == "m"]
    assert len(to_target) == len(second.rows) - JOURNALLED
    assert {call["headers"]["authorization"] for call in to_target} == {f"Bearer {KEY}"}
    assert not any(first.tag in text for text in lab.asked)
    assert fsck(golden.workspace.folder(job_id)).difference is None


def test_what_failed_of_a_job_of_every_face_is_made_again_and_nothing_else(golden: Golden) -> None:
    lab = Lab(golden.workspace, golden.model)
    for kind in FACES:
        asked, job_id = questions_of(kind), golden.made[kind.face]
        mended = replace(asked, fates=[fate if isinstance(fate, float) else 1.0 for fate in asked.fates])
        golden.model.script = Models(mended)
        golden.model.calls.clear()
        spec = golden.workspace.jobs.get(job_id).spec
        assert spec
        judges = [metric.name for task in spec.tasks for metric in task.metrics if isinstance(metric, Judge)]
        keys = [{"name": name, "api_key": KEY} for name in (*(each.name for each in spec.targets), *judges)]
        retried = golden.native.post(f"/api/assay/v1/jobs/{job_id}/retry", {"api_keys": keys})
        lab.carry_out(at_model(golden.workspace.jobs.get(retried["id"]), golden.model))
        to_target = [call for call in golden.model.calls if call["body"]["model"] != "judge"]
        failed = {NO_ANSWER, WITHHELD}
        assert len(to_target) == sum(fate in failed for fate in asked.fates), kind
        assert len(golden.model.calls) - len(to_target) == asked.figures.failed, kind
        assert golden.native.samples_of(retried["id"], kind.score) == mended.samples, kind
        assert fsck(golden.workspace.folder(retried["id"])).difference is None
