from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import Conflict, NotFound
from core.job import base58_id
from core.queries.lists import Contains, Listing, OneOf
from store.db import tables
from store.db.connect import reading
from store.db.entities import Entities, Entity, NewEntity, NewResult, Results
from store.db.jobs import Jobs
from store.files.contents import Files
from tests.store.db.test_jobs import new_job


def kept_keys(engine: sa.Engine) -> set[str]:
    with reading(engine) as connection:
        return set(connection.scalars(sa.select(tables.secrets.c.id)))


def described(name: str, namespace: str = "default", **fields: Any) -> NewEntity:
    fields = {"type": "model", "body": {"model": {"api_key": "store:a", "name": "Llama"}}, **fields}
    return NewEntity(id=base58_id("eval-target-"), namespace=namespace, name=name, **fields)


@pytest.fixture
def targets(engine: sa.Engine) -> Entities:
    return Entities(engine, "target")


class TestEntities:
    def test_what_is_added_is_what_is_found(self, targets: Entities, engine: sa.Engine) -> None:
        added = targets.add(described("t", model="llama", custom_fields={"k": 1}, ownership={"by": "me"}))
        assert targets.get("default", "t") == added
        assert targets.page(Listing()) == ([added], 1)
        config = Entities(engine, "config").add(replace(described("t"), body={"tasks": {}}))
        assert Entities(engine, "config").get("default", "t") == config

    def test_a_taken_name_leaves_no_keys_behind(self, targets: Entities, engine: sa.Engine) -> None:
        targets.add(described("t"), {"a": b"1"})
        with pytest.raises(Conflict, match="A target named default/t exists already"):
            targets.add(described("t"), {"b": b"2"})
        assert kept_keys(engine) == {"a"}

    def test_keys_that_are_no_longer_referred_to_go(self, targets: Entities, engine: sa.Engine) -> None:
        targets.add(described("t", custom_fields={"token": "store:c"}), {"a": b"1", "c": b"3"})
        targets.add(described("u"), {"other": b"4"})

        def rekey(entity: Entity) -> Entity:
            return replace(entity, body={"model": {"api_key": "store:b"}, "rows": [{"token": "store:a"}]})

        targets.update("default", "t", rekey, {"b": b"2"})
        assert kept_keys(engine) == {"b", "c", "other"}
        targets.delete("default", "t")
        assert kept_keys(engine) == {"other"}

    def test_a_name_that_is_taken_cannot_be_moved_to(self, targets: Entities, engine: sa.Engine) -> None:
        first, second = targets.add(described("t")), targets.add(described("u"))
        with pytest.raises(Conflict, match="default/u exists"):
            targets.update("default", "t", lambda entity: replace(entity, name="u"), {"b": b"2"})
        assert targets.page(Listing(sort="created_at"))[0] == [first, second]
        assert kept_keys(engine) == set()

    def test_changes_at_once_are_all_made(self, targets: Entities) -> None:
        targets.add(described("t", custom_fields={"n": 0}))

        def count(entity: Entity) -> Entity:
            return replace(entity, custom_fields={"n": entity.custom_fields["n"] + 1})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: targets.update("default", "t", count), range(20)))
        assert targets.get("default", "t").custom_fields == {"n": 20}

    def test_what_is_not_there_is_not_found(self, targets: Entities, engine: sa.Engine) -> None:
        for ask in (targets.get, targets.delete):
            with pytest.raises(NotFound, match="Target not found"):
                ask("default", "none")
        with pytest.raises(NotFound, match="Config not found"):
            Entities(engine, "config").update("default", "none", lambda entity: entity)

    def test_a_model_is_found_by_its_id_and_in_its_description(self, targets: Entities) -> None:
        targets.add(described("t", model="meta/llama"))
        targets.add(described("u", type="rows", body={"rows": [{"q": "llama?"}]}))
        assert targets.page(Listing((OneOf(("model",), ("meta/llama",)),)))[1] == 1
        assert [each.name for each in targets.page(Listing((Contains(("model",), ("LLAMA",)),)))[0]] == ["t"]
        assert [each.name for each in targets.page(Listing((Contains(("rows",), ("llama?",)),)))[0]] == ["u"]

    def test_an_entity_is_found_by_its_id_before_another_that_has_it_for_a_name(self, engine: sa.Engine) -> None:
        evaluators = Entities(engine, "evaluator")
        first = evaluators.add(described("first"))
        second = evaluators.add(described(first.id))
        assert evaluators.find("first") == evaluators.find(first.id) == first
        assert evaluators.find(second.id) == second
        assert evaluators.names([first.id, second.id, "none"]) == {first.id: "first", second.id: first.id}
        evaluators.add(replace(described("elsewhere"), namespace="other"))
        with pytest.raises(NotFound, match="Evaluator not found"):
            evaluators.find("elsewhere")
        assert Entities(engine, "container").names([first.id]) == {}


class TestResults:
    def test_a_result_lives_by_its_id(self, engine: sa.Engine) -> None:
        results = Results(engine)
        added = results.add(NewResult(id="evaluation_result-1", job="eval-1", tasks={"qa": {}}))
        assert results.add(NewResult(id="evaluation_result-1", job="eval-2")) == added
        changed = results.update(added.id, {"description": "new"})
        assert (changed.description, changed.tasks, changed.created_at) == ("new", {"qa": {}}, added.created_at)
        assert results.page(Listing((OneOf(("job_id",), ("eval-1",)),))) == ([changed], 1)
        assert results.delete(added.id) == changed
        for ask in (results.get, results.delete, lambda each: results.update(each, {"project": "p"})):
            with pytest.raises(NotFound, match="Result not found"):
                ask(added.id)

    def test_a_job_has_its_first_result_and_is_found_by_it(self, engine: sa.Engine, tmp_path: Path) -> None:
        results, jobs = Results(engine), Jobs(engine, Files(engine, tmp_path / "files"))
        job = jobs.add(new_job(face="nemo-v1"))
        first, *_ = [results.add(NewResult(id=f"evaluation_result-{n}", job=job.id)) for n in (2, 1)]
        assert results.of_jobs([job.id, "eval-none"]) == {job.id: first}
        assert jobs.page("nemo-v1", Listing((Contains(("result",), ("RESULT-2",)),)))[1] == 1
        assert jobs.page("nemo-v1", Listing((Contains(("result",), ("result-1",)),)))[1] == 0
