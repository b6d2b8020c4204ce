import pytest

from api.maniac.stored import digest
from tests.api.maniac.conftest import JUDGE, SAME

EVALUATORS = "/v1/evaluators"


def test_a_judge_is_answered_with_every_field_there_is(maniac):
    container = maniac.container("judged")
    made = maniac.evaluator(**JUDGE, name="helpful", container="judged", mode="pointwise")
    assert made == {
        "object": "evaluator.judge",
        "id": made["id"],
        "project_id": "default",
        "container_id": container["id"],
        "container": "judged",
        "name": "helpful",
        "description": None,
        "created_at": made["created_at"],
        "metadata": None,
        "pass_threshold": None,
        "mode": "pointwise",
        "api": None,
        "model": "judge",
        "prompt": JUDGE["prompt"],
        "inference_parameters": None,
    }
    assert made["created_at"].endswith("Z")
    assert maniac.get(f"{EVALUATORS}/{made['id']}") == made


def test_code_has_a_source_in_the_place_of_a_prompt(maniac):
    made = maniac.evaluator(type="code", source=SAME, requirements=[])
    assert (made["object"], made["source"], made["requirements"]) == ("evaluator.code", SAME, [])
    assert "prompt" not in made
    assert made["name"] == made["id"]


@pytest.mark.parametrize("name", ["my name", "with/slash", "käse", "a%2Fb?c#d"])
def test_an_evaluator_is_found_by_its_name_whatever_that_is(maniac, name):
    made = maniac.evaluator(**JUDGE, name=name)
    response = maniac.http.get(f"{EVALUATORS}/" + "".join(f"%{byte:02X}" for byte in name.encode()))
    assert response.json() == made
    assert maniac.http.get(f"/api{EVALUATORS}/{made['id']}").json() == made


def test_a_list_is_narrowed_to_a_container_by_id_or_label_and_cut(maniac):
    container = maniac.container("listed")
    ids = [maniac.evaluator(**JUDGE, container="listed")["id"] for _ in range(3)]
    for reference in ("listed", container["id"]):
        page = maniac.get(EVALUATORS, container=reference, limit=2, offset=1)
        assert page["object"] == "list"
        assert page["total"] == 3
        assert [each["id"] for each in page["data"]] == ids[::-1][1:]
    assert maniac.get(EVALUATORS, container="none") == {"object": "list", "data": [], "total": 0}
    for query in ("limit=0", "limit=101", "offset=-1", "limit=x"):
        assert maniac.error("GET", f"{EVALUATORS}?{query}", status=422)["code"] == "validation_error"


def test_only_the_fields_that_are_sent_change_and_with_them_the_version(maniac):
    made = maniac.evaluator(**JUDGE, name="patched", description="first")
    before = digest(maniac.state.evaluators.find("patched"))
    response = maniac.http.patch(f"{EVALUATORS}/patched", json={"pass_threshold": 0.7, "description": None})
    assert response.json() == {**made, "pass_threshold": 0.7, "description": None}
    after = digest(maniac.state.evaluators.find("patched"))
    assert after != before
    renamed = maniac.http.patch(f"{EVALUATORS}/{made['id']}", json={"name": "renamed", "metadata": {"a": 1}}).json()
    assert (renamed["name"], renamed["metadata"], renamed["id"]) == ("renamed", {"a": 1}, made["id"])
    assert digest(maniac.state.evaluators.find("renamed")) == after


def test_a_change_that_would_leave_no_evaluator_is_refused_and_nothing_changes(maniac):
    made = maniac.evaluator(**JUDGE, name="whole")
    maniac.evaluator(**JUDGE, name="taken")
    patched = f"{EVALUATORS}/whole"
    assert maniac.error("PATCH", patched, {"prompt": None}, status=422)["param"] == "prompt"
    assert maniac.error("PATCH", patched, {"source": SAME}, status=422)["param"] == "source"
    assert maniac.error("PATCH", patched, {"container": "none"}, status=404)["message"] == "Container 'none' not found"
    assert maniac.error("PATCH", patched, {"name": "taken"}, status=409)["code"] == "conflict"
    code = maniac.evaluator(type="code", source=SAME)
    error = maniac.error("PATCH", f"{EVALUATORS}/{code['id']}", {"source": "def run_evaluation(:"}, status=422)
    assert (error["param"], "line 1" in error["message"]) == ("source", True)
    assert maniac.get(patched) == made


def test_a_deleted_evaluator_is_gone_by_name_and_by_id(maniac):
    for by in ("id", "name"):
        made = maniac.evaluator(**JUDGE, name=f"deleted by {by}")
        deleted = maniac.http.delete(f"{EVALUATORS}/{made[by]}")
        assert deleted.json() == {"object": "evaluator", "id": made["id"], "deleted": True}
        error = maniac.error("DELETE", f"{EVALUATORS}/{made[by]}", status=404)
        assert error == {
            "message": f"Evaluator {made[by]!r} not found",
            "type": "not_found_error",
            "param": None,
            "code": "not_found",
            "details": None,
        }


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"type": "judge", "prompt": "p"}, "model"),
        ({"type": "judge", "model": "m"}, "prompt"),
        ({"type": "code"}, "source"),
        ({"type": "code", "source": "def run_evaluation(item):\n    yield 1"}, "source"),
        ({"type": "code", "source": "import numpy\ndef run_evaluation(item):\n    return 1"}, "source"),
        ({"type": "code", "source": "def evaluate(item):\n    return 1"}, "source"),
        ({"type": "code", "source": "def run_evaluation():\n    return 1"}, "source"),
        ({"type": "code", "source": "async def run_evaluation(item):\n    return 1"}, "source"),
        ({"type": "code", "source": SAME, "prompt": "p"}, "prompt"),
        ({"type": "other"}, "type"),
        ({}, "type"),
        ({**JUDGE, "mode": "sideways"}, "mode"),
        ({**JUDGE, "pass_threshold": "high"}, "pass_threshold"),
        ({**JUDGE, "name": "a\x00b"}, "name"),
        ({**JUDGE, "inference_parameters": {"model": "other"}}, "inference_parameters"),
        ({**JUDGE, "inference_parameters": {"extra": {"api_key": "MARKER"}}}, "inference_parameters"),
        ({**JUDGE, "inference_parameters": {"extra_headers": {"X-Key": "MARKER"}}}, "inference_parameters"),
    ],
)
def test_what_is_no_evaluator_is_refused_by_its_field(maniac, asked, field):
    total = maniac.get(EVALUATORS)["total"]
    error = maniac.error("POST", EVALUATORS, asked, status=422)
    assert (error["param"], error["code"]) == (field, "validation_error")
    assert "MARKER" not in str(error)
    assert maniac.get(EVALUATORS)["total"] == total


def test_requirements_are_not_implemented(maniac):
    error = maniac.error("POST", EVALUATORS, {"type": "code", "source": SAME, "requirements": ["numpy"]}, status=501)
    assert error["code"] == "not_implemented"
    assert "requirements" in error["message"]


def test_a_key_in_the_metadata_is_neither_kept_nor_shown(maniac, service):
    made = maniac.evaluator(**JUDGE, metadata={"api_key": "MARKER-metadata", "topic": "t"})
    assert made["metadata"] == {"api_key": "******", "topic": "t"}
    assert b"MARKER-metadata" not in service.kept()
