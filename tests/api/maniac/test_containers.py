import pytest

from tests.api.maniac.conftest import chat

CONTAINERS = "/v1/containers"


def test_a_container_is_answered_with_what_there_is_and_nulls(maniac):
    made = maniac.post(
        CONTAINERS,
        {"label": "whole", "initial_model": "m", "default_system_prompt": "Be kind", "default_parameters": {"seed": 1}},
    )
    assert {name: value for name, value in made.items() if value is not None} == {
        "object": "container",
        "id": made["id"],
        "project_id": "default",
        "created_at": made["created_at"],
        "label": "whole",
        "api": "chat.completions",
        "initial_model": "m",
        "default_system_prompt": "Be kind",
        "default_parameters": {"seed": 1},
        "deleted_at": False,
    }
    assert made["optimized_parameters"] is None
    assert maniac.get(f"{CONTAINERS}/whole") == maniac.get(f"/api{CONTAINERS}/{made['id']}") == made


def test_a_change_keeps_the_label_and_what_is_not_sent(maniac):
    made = maniac.container("a/changed one", default_system_prompt="first")
    changed = maniac.http.patch(
        f"{CONTAINERS}/a/changed%20one", json={"default_model": "n", "default_parameters": {"seed": 2}}
    ).json()
    assert changed == {**made, "initial_model": "n", "default_parameters": {"seed": 2}}
    cleared = maniac.http.patch(f"{CONTAINERS}/a%2Fchanged%20one", json={"default_system_prompt": None}).json()
    assert cleared == {**changed, "default_system_prompt": None}


def test_a_label_is_taken_until_its_container_is_deleted_with_its_log(maniac):
    made = maniac.container("taken")
    maniac.log("taken", chat("q", "a"))
    error = maniac.error("POST", CONTAINERS, {"label": "taken", "initial_model": "m"}, status=409)
    assert error["code"] == "conflict"
    deleted = maniac.http.delete(f"{CONTAINERS}/taken").json()
    assert deleted == {"object": "container", "label": "taken", "deleted": True}
    assert maniac.error("GET", f"{CONTAINERS}/taken", status=404)["message"] == "Container 'taken' not found"
    again = maniac.container("taken")
    assert again["id"] != made["id"]
    assert maniac.get("/v1/chat/completions", container="taken")["total"] == 0


def test_containers_are_listed_from_the_newest(maniac):
    labels = [maniac.container(f"listed {n}")["label"] for n in range(3)]
    page = maniac.get(CONTAINERS, limit=2)
    assert [each["label"] for each in page["data"]] == labels[:0:-1]
    assert page["total"] == maniac.get(CONTAINERS, limit=1, offset=1)["total"] >= 3


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"initial_model": "m"}, "label"),
        ({"label": "l"}, "initial_model"),
        ({"label": "", "initial_model": "m"}, "label"),
        ({"label": "l", "initial_model": "m", "api": "chat"}, "api"),
        ({"label": "l", "initial_model": "m", "default_parameters": {"stream": True}}, "default_parameters"),
        ({"label": "l", "initial_model": "m", "default_parameters": {"api_key": "MARKER"}}, "default_parameters"),
    ],
)
def test_what_is_no_container_is_refused_by_its_field(maniac, asked, field):
    error = maniac.error("POST", CONTAINERS, asked, status=422)
    assert error["param"] == field
    assert "MARKER" not in str(error)
