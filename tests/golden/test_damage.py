"""Results that are not as they were written: named by their place below the home, and no list fails for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from core.settings import Settings
from store.db.connect import connect, writing
from tests import faces
from tests.golden.make import FACES
from tests.golden.test_golden import PAGES, RELEASES, opened, unpacked
from tests.scripted import ScriptedEndpoint

FILES = (
    *(f"{kind}/00000.parquet" for kind in ("samples", "outputs", "scores", "summaries")),
    *("calls/generate-00000.parquet", "calls/judge-00000.parquet", "manifest.json"),
)
NATIVE = ("", "/summaries", "/samples", "/samples?format=jsonl", "/samples?format=csv", "/samples?format=parquet")


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden") / "home"


@pytest.fixture(scope="module")
def made(home: Path) -> dict[str, str]:
    return unpacked(RELEASES[-1], home.parent)


@pytest.fixture(scope="module")
def http(home: Path, made: dict[str, str], model: ScriptedEndpoint) -> Iterator[httpx.Client]:
    with opened(home, model) as (_, http):
        yield http


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    whole = file.read_bytes()
    half = len(whole) // 2
    file.write_bytes(whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :])
    if file.suffix == ".json":
        file.write_bytes(whole[:half])
    try:
        yield
    finally:
        file.write_bytes(whole)


@pytest.mark.thorough
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", FACES, ids=lambda kind: kind.face)
def test_a_damaged_file_is_named_and_no_list_fails(
    http: httpx.Client, home: Path, made: dict[str, str], model: ScriptedEndpoint, kind: type[faces.NemoV2], name: str
) -> None:
    job_id = made[kind.face]
    folder, client = home / "results" / f"job_id={job_id}", kind(http, model.url)
    with damaged(folder / name):
        assert job_id in client.listed()
        assert job_id in faces.Native(http, model.url).listed()
        assert http.get("/v1/evaluation/results").status_code == 200
        pages = [page.format(id=job_id) for page in PAGES[kind.face]]
        answers = [http.get(page) for page in (*pages, *(f"/api/assay/v1/jobs/{job_id}{page}" for page in NATIVE))]
    told = f"results/job_id={job_id}/{name} is damaged: restore it from a backup, or run job {job_id} again"
    for answer in answers:
        assert str(home) not in answer.text
        assert answer.is_success or told in answer.text, (answer.url, answer.text)
    if name.startswith(("outputs", "scores", "samples")):
        assert [answer.status_code for answer in answers[-4:]] == [500] * 4


def test_a_specification_that_cannot_be_read_fails_its_own_page_alone(
    http: httpx.Client, home: Path, made: dict[str, str], model: ScriptedEndpoint
) -> None:
    engine = connect(Settings(home=home).jobs_url)
    with writing(engine) as connection:
        broken = ("""UPDATE jobs SET spec = '{"version":77}' WHERE id = ?""", (made["computed"],))
        connection.exec_driver_sql(*broken)
    engine.dispose()
    native = faces.Native(http, model.url)
    assert made["computed"] in native.listed()
    assert made["computed"] in faces.NemoV2(http, model.url).listed()
    answer = http.get(f"/api/assay/v1/jobs/{made['computed']}")
    assert answer.json()["detail"].startswith(f"The specification of job {made['computed']} cannot be read: version 77")
