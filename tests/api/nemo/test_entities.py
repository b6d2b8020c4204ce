import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from nemo_microservices import (
    AsyncNeMoMicroservices,
    ConflictError,
    NeMoMicroservices,
    NotFoundError,
    UnprocessableEntityError,
)

from core.errors import NotFound
from core.spec import ModelTarget

TARGETS, CONFIGS = "/v1/evaluation/targets", "/v1/evaluation/configs"
ENDPOINT: dict[str, Any] = {"url": "https://models.example/v1", "model_id": "meta/llama-3", "api_key": "MARKER-key"}
MODEL: dict[str, Any] = {"api_endpoint": {"url": "https://models.example/v1", "model_id": "m"}}
RETRIEVER: dict[str, Any] = {"pipeline": {"query_embedding_model": MODEL, "index_embedding_model": MODEL, "top_k": 10}}
ROWS: list[Any] = [{"q": "2+2", "a": "4", "token": "data", "note": None}]
JUDGE: dict[str, Any] = {
    "type": "llm-judge",
    "params": {
        "model": {"api_endpoint": {"url": "https://judge.example/v1", "model_id": "judge", "api_key": "MARKER-judge"}},
        "template": {"messages": [{"role": "user", "content": "{{q}} = {{a}}? SCORE: <0-4>"}]},
        "scores": {"correct": {"type": "int", "parser": {"type": "regex", "pattern": "SCORE: (\\d)"}}},
    },
}
DATASET: dict[str, Any] = {"files_url": "hf://datasets/org/ds/qa.jsonl"}
GRADING: dict[str, Any] = {
    "type": "custom",
    "tasks": {"sums": {"type": "data", "dataset": DATASET, "metrics": {"judge": JUDGE}}},
}


@pytest.fixture(scope="module")
def client(service: Any) -> Iterator[NeMoMicroservices]:
    with NeMoMicroservices(base_url=service.url, _strict_response_validation=True) as client:
        yield client


def model(**changes: Any) -> Any:
    return {"api_endpoint": {**ENDPOINT, **changes}}


def reveal(service: Any, reference: str) -> str:
    return service.state.vault.reveal(reference)


def test_a_target_comes_back_with_ids_versions_and_masks_filled_in(service: Any) -> None:
    asked = {"type": "model", "name": "filled", "namespace": "org", "model": model(), "description": None}
    response = service.http.post(TARGETS, json=asked)
    target = response.json()
    assert response.status_code == 200
    assert set(target) == {*("created_at", "updated_at", "name", "namespace", "type", "model", "id", "custom_fields")}
    assert re.fullmatch("eval-target-[1-9A-HJ-NP-Za-km-z]{15,22}", target["id"])
    inline = target["model"]
    assert inline["id"] == inline["name"]
    assert inline["id"].startswith("model-")
    assert inline["api_endpoint"] == {**ENDPOINT, "api_key": "******", "format": "nim"}
    assert {
        key: inline[key] for key in ("schema_version", "type_prefix", "namespace", "version_id", "version_tags")
    } == {
        "schema_version": "1.0",
        "type_prefix": "model",
        "namespace": "default",
        "version_id": "main",
        "version_tags": [],
    }
    assert service.http.get(f"{TARGETS}/org/filled").json() == target


@pytest.mark.parametrize(
    "parts",
    [
        {"type": "model", "model": "org/served"},
        {"type": "rows", "rows": ROWS},
        {"type": "dataset", "dataset": {**DATASET, "format": "SQuAD", "limit": 3}},
        {"type": "dataset", "dataset": "org/stored"},
        {"type": "cached_outputs", "cached_outputs": DATASET},
        {"type": "retriever", "retriever": RETRIEVER},
        {"type": "rag", "rag": {"pipeline": {"model": MODEL, "retriever": RETRIEVER}}},
    ],
)
def test_a_target_of_any_type_is_kept(client: NeMoMicroservices, parts: dict[str, Any]) -> None:
    target = client.evaluation.targets.create(**parts, custom_fields={"k": [1]}, project="p", description="d")
    assert client.evaluation.targets.retrieve(str(target.name), namespace="default") == target
    assert (target.name, target.project, target.description) == (target.id, "p", "d")
    assert target.rows == parts.get("rows")


def test_a_config_is_kept_with_its_datasets_filled_in_and_its_keys_masked(client: NeMoMicroservices) -> None:
    config = client.evaluation.configs.create(**GRADING, name="grading", params={"limit_samples": 3})
    assert config.tasks is not None
    task: Any = config.tasks["sums"]
    assert str(config.id).startswith("eval-config-")
    assert task.dataset.id.startswith("dataset-")
    assert task.dataset.version_id == "main"
    assert task.metrics["judge"].params["model"]["api_endpoint"]["api_key"] == "******"
    assert client.evaluation.configs.retrieve("grading", namespace="default") == config
    assert "MARKER" not in config.to_json()


def test_a_config_of_a_type_that_cannot_run_is_kept_all_the_same(client: NeMoMicroservices) -> None:
    config = client.evaluation.configs.create(type="humaneval", tasks={"t": {"type": "x", "params": {"a": 1}}})
    assert client.evaluation.configs.retrieve(str(config.name), namespace="default").type == "humaneval"
    assert config.tasks is not None
    assert config.tasks["t"].params == {"a": 1}


def test_a_name_is_taken_once_in_its_namespace(client: NeMoMicroservices) -> None:
    client.evaluation.targets.create(type="rows", rows=ROWS, name="once")
    client.evaluation.targets.create(type="rows", rows=ROWS, name="once", namespace="other")
    with pytest.raises(ConflictError) as caught:
        client.evaluation.targets.create(type="rows", rows=ROWS, name="once")
    assert "default/once exists already" in caught.value.response.json()["detail"]
    assert caught.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("name", ["a/b", "a b", "ä" * 256, "x" * 256, "a?"])
def test_a_name_that_no_path_can_hold_is_refused(client: NeMoMicroservices, name: str) -> None:
    with pytest.raises(UnprocessableEntityError) as caught:
        client.evaluation.configs.create(type="gsm8k", name=name)
    assert caught.value.response.json()["detail"][0]["loc"] == ["body", "name"]


class TestPatch:
    def test_given_fields_change_and_others_stay(self, client: NeMoMicroservices) -> None:
        before = client.evaluation.targets.create(type="model", model=model(), name="patched", description="old")
        after = client.evaluation.targets.update("patched", namespace="default", project="new")
        assert (after.id, after.name, after.description, after.project) == (before.id, "patched", "old", "new")
        assert after.model == before.model
        assert after.created_at == before.created_at
        assert before.updated_at is not None
        assert after.updated_at is not None
        assert after.updated_at > before.updated_at
        assert client.evaluation.targets.list(filter={"model": "meta/llama-3", "name": "patched"}).data == [after]

    def test_null_takes_a_field_away(self, service: Any, client: NeMoMicroservices) -> None:
        client.evaluation.targets.create(type="rows", rows=ROWS, name="nulled", description="old", project="p")
        after = service.http.patch(f"{TARGETS}/default/nulled", json={"description": None, "project": None}).json()
        assert {"description", "project"}.isdisjoint(after)
        assert after["rows"] == ROWS

    def test_the_mask_keeps_the_old_key_and_a_new_one_replaces_it(
        self, service: Any, client: NeMoMicroservices
    ) -> None:
        client.evaluation.targets.create(type="model", model=model(), name="masked")
        stored = service.state.targets.get
        old = stored("default", "masked").body["model"]["api_endpoint"]["api_key"]
        client.evaluation.targets.update("masked", namespace="default", model=model(api_key="******", model_id="other"))
        endpoint = stored("default", "masked").body["model"]["api_endpoint"]
        assert (endpoint["api_key"], endpoint["model_id"], reveal(service, old)) == (old, "other", "MARKER-key")

        client.evaluation.targets.update("masked", namespace="default", model=model(api_key="MARKER-new"))
        new = stored("default", "masked").body["model"]["api_endpoint"]["api_key"]
        assert reveal(service, new) == "MARKER-new"
        with pytest.raises(NotFound):
            reveal(service, old)

    @pytest.mark.parametrize(
        "url",
        [
            "http://evil.example/v1",
            "https://nim/v1",
            "http://nim:81/v1",
            "http://nim.evil.example",
            "http://x@evil/v1",
            "http://[",
            "",
        ],
    )
    def test_a_kept_key_follows_no_changed_url(self, client: NeMoMicroservices, url: str) -> None:
        name = f"kept-{abs(hash(url))}"
        client.evaluation.targets.create(type="model", model=model(url="http://nim/v1"), name=name)
        with pytest.raises(UnprocessableEntityError, match=r"goes to no other host|URL"):
            client.evaluation.targets.update(name, namespace="default", model=model(url=url, api_key="******"))
        client.evaluation.targets.update(name, namespace="default", model=model(url="http://nim/v2", api_key="******"))
        client.evaluation.targets.update(name, namespace="default", model=model(url=url or "http://b", api_key="new"))

    def test_the_mask_of_no_key_is_refused(self, client: NeMoMicroservices) -> None:
        with pytest.raises(UnprocessableEntityError, match="send the key"):
            client.evaluation.targets.create(type="model", model=model(api_key="******"))
        client.evaluation.targets.create(type="rows", rows=ROWS, name="keyless")
        with pytest.raises(UnprocessableEntityError) as caught:
            client.evaluation.targets.update("keyless", namespace="default", model=model(api_key="******"))
        assert caught.value.response.json()["detail"][0]["loc"] == ["body", "model", "api_endpoint", "api_key"]

    def test_a_config_can_be_renamed_and_moved_but_not_onto_another(self, client: NeMoMicroservices) -> None:
        update = client.evaluation.configs.update
        before = client.evaluation.configs.create(type="gsm8k", name="here")
        client.evaluation.configs.create(type="gsm8k", name="taken")
        after = update("here", path_namespace="default", name="there", body_namespace="moved")
        assert (after.id, after.name, after.namespace) == (before.id, "there", "moved")
        with pytest.raises(NotFoundError):
            client.evaluation.configs.retrieve("here", namespace="default")
        with pytest.raises(ConflictError, match="default/taken exists"):
            update("there", path_namespace="moved", name="taken", body_namespace="default")
        assert client.evaluation.configs.retrieve("there", namespace="moved") == after

    @pytest.mark.parametrize(
        ("change", "loc"),
        [
            ({"type": "custom"}, ["body", "tasks"]),
            ({"type": None}, ["body", "type"]),
            ({"name": "a/b"}, ["body", "name"]),
            ({"description": 1}, ["body", "description"]),
        ],
    )
    def test_what_would_be_no_config_is_refused(
        self, service: Any, client: NeMoMicroservices, change: dict[str, Any], loc: list[str]
    ) -> None:
        name = client.evaluation.configs.create(type="gsm8k").name
        response = service.http.patch(f"{CONFIGS}/default/{name}", json=change)
        assert response.status_code == 422
        assert loc in [each["loc"] for each in response.json()["detail"]]
        assert client.evaluation.configs.retrieve(str(name), namespace="default").type == "gsm8k"


def test_a_deleted_target_is_gone_with_its_keys(service: Any, client: NeMoMicroservices) -> None:
    target = client.evaluation.targets.create(type="model", model=model(), name="gone")
    reference = service.state.targets.get("default", "gone").body["model"]["api_endpoint"]["api_key"]
    answer = client.evaluation.targets.delete("gone", namespace="default")
    assert (answer.id, answer.message) == (target.id, "Resource deleted successfully.")
    assert answer.deleted_at is not None
    with pytest.raises(NotFound):
        reveal(service, reference)
    with pytest.raises(NotFoundError, match="Target not found"):
        client.evaluation.targets.delete("gone", namespace="default")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize(("path", "detail"), [(TARGETS, "Target not found"), (CONFIGS, "Config not found")])
def test_what_is_unknown_is_not_found(service: Any, method: str, path: str, detail: str) -> None:
    response = service.http.request(method, f"{path}/nowhere/nothing", json={} if method == "PATCH" else None)
    assert (response.status_code, response.json()) == (404, {"detail": detail})
    assert service.http.request(method, f"{path}/a/b/c").status_code == 404


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"3", b'"text"', b'{"type": 3}', b'{"a": NaN}', b"{}"])
@pytest.mark.parametrize("path", [TARGETS, CONFIGS])
def test_what_describes_nothing_is_refused(service: Any, path: str, body: bytes) -> None:
    response = service.http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["detail"]


class TestReferences:
    def test_a_job_of_the_first_version_has_its_own_keys_which_outlive_the_target(
        self, service: Any, client: NeMoMicroservices
    ) -> None:
        prompt = {"params": {"template": {"messages": [{"role": "user", "content": "{{q}}"}]}}, "dataset": DATASET}
        chat: dict[str, Any] = {"type": "custom", "tasks": {"qa": {"type": "chat-completion", **prompt}}}
        target = client.evaluation.targets.create(type="model", model=model(), name="owned", namespace="org")
        config = client.evaluation.configs.create(**chat, name="chat", namespace="org")
        job = client.evaluation.jobs.create(target="org/owned", config="org/chat")
        shown: Any = job.to_dict()["target"]
        assert (shown["id"], shown["name"], shown["schema_version"]) == (target.id, "owned", "1.0")
        assert job.config.id == config.id
        assert "MARKER" not in job.to_json()

        client.evaluation.targets.delete("owned", namespace="org")
        kept = service.state.jobs.get(job.id)
        assert kept.target == "org/owned"
        assert isinstance(kept.spec.targets[0], ModelTarget)
        assert reveal(service, str(kept.spec.targets[0].endpoint.api_key)) == "MARKER-key"
        assert client.evaluation.jobs.retrieve(str(job.id)).to_dict()["target"] == shown

    def test_what_is_given_inline_is_shown_like_what_is_stored(self, client: NeMoMicroservices) -> None:
        judged: Any = {**GRADING, "tasks": {"sums": {"type": "data", "metrics": {"judge": JUDGE}}}}
        inline: Any = {"type": "rows", "rows": ROWS}
        job = client.evaluation.jobs.create(target=inline, config=judged | {"name": "mine"})
        shown: Any = job.to_dict()
        target, config = shown["target"], shown["config"]
        assert target["id"] == target["name"]
        assert target["rows"] == ROWS
        assert (config["name"], config["namespace"], config["type_prefix"]) == ("mine", "default", "eval-config")

    @pytest.mark.parametrize("part", ["target", "config"])
    @pytest.mark.parametrize("name", ["org/none", "none", "/", "a/b/c", " "])
    def test_a_name_that_nothing_has_is_not_found(self, service: Any, part: str, name: str) -> None:
        whole = {"target": {"type": "rows", "rows": ROWS}, "config": GRADING} | {part: name}
        response = service.http.post("/v1/evaluation/jobs", json=whole)
        assert response.status_code == 404
        assert response.json() == {"detail": f"{part.capitalize()} {name!r} not found"}

    def test_a_job_of_the_second_version_can_name_them_too(self, service: Any, client: NeMoMicroservices) -> None:
        client.evaluation.targets.create(type="rows", rows=ROWS, name="rows", namespace="v2")
        tasks: Any = {"sums": {"type": "data", "metrics": {"judge": JUDGE}}}
        client.evaluation.configs.create(type="custom", tasks=tasks, name="judge", namespace="v2")
        job = client.v2.evaluation.jobs.create(spec={"target": "v2/rows", "config": "v2/judge"})
        target: Any = job.spec.target
        assert target.rows == ROWS
        assert "MARKER" not in job.to_json()
        kept = service.state.jobs.get(job.id)
        assert (kept.target, kept.config) == ("v2/rows", "v2/judge")
        assert reveal(service, kept.spec.tasks[0].metrics[0].endpoint.api_key) == "MARKER-judge"


async def _all_names(service: Any) -> list[str]:
    async with AsyncNeMoMicroservices(base_url=service.url, _strict_response_validation=True) as client:
        for n in range(5):
            await client.evaluation.configs.create(type="mmlu", name=f"async-{n}", namespace="async")
        return [str(each.name) async for each in client.evaluation.configs.list(filter={"type": "mmlu"}, page_size=2)]


def test_the_asynchronous_client_pages_through_them_all(service: Any) -> None:
    assert asyncio.run(_all_names(service)) == [f"async-{n}" for n in range(5)]
