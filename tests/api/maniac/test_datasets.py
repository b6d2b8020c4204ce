import pytest

from tests.api.maniac.conftest import chat

DATASETS = "/v1/datasets"


@pytest.fixture(scope="module")
def source(maniac) -> str:
    maniac.container("source")
    chats = [chat(f"q{n}", f"a{n}", metadata={"n": n, "topic": "even" if n % 2 == 0 else "odd"}) for n in range(6)]
    maniac.log("source", *chats)
    return "source"


def questions(maniac, dataset_id):
    dataset = maniac.state.datasets.get(dataset_id)
    return [row["input"]["messages"][0]["content"] for row in maniac.state.datasets.rows(dataset)]


def test_a_dataset_is_a_snapshot_of_what_its_filters_hold_for(maniac, source):
    filters = [{"key": "metadata.topic", "operator": "equals", "value": "even"}]
    asked = {"name": "even", "container": source, "size": 2, "filters": filters, "tags": ["t"], "metadata": {"a": 1}}
    made = maniac.post(DATASETS, asked)
    assert made == {"id": made["id"], "message": "Dataset even holds 2 completions"}
    assert questions(maniac, made["id"]) == ["q0", "q2"]
    shown = maniac.get(f"{DATASETS}/{made['id']}")
    expected = {"name": "even", "requested_size": 2, "size": 2, "filters": filters, "tags": ["t"], "metadata": {"a": 1}}
    assert {name: shown[name] for name in expected} == expected
    assert shown["container_id"] == maniac.get(f"/v1/containers/{source}")["id"]
    assert maniac.get(f"/api{DATASETS}/{made['id']}") == shown


def test_what_is_logged_later_changes_no_dataset_and_the_digest_tells_them_apart(maniac):
    maniac.container("growing")
    maniac.log("growing", chat("q0", "a"))
    asked = {"name": "d", "container": "growing", "size": 10}
    ids = [maniac.post(DATASETS, asked)["id"] for _ in range(2)]
    maniac.log("growing", chat("q1", "a"))
    ids.append(maniac.post(DATASETS, asked)["id"])
    assert [questions(maniac, each) for each in ids] == [["q0"], ["q0"], ["q0", "q1"]]
    digests = [maniac.get(f"{DATASETS}/{each}")["digest"] for each in ids]
    assert digests[0] == digests[1] != digests[2]
    maniac.http.delete("/v1/containers/growing")
    assert questions(maniac, ids[2]) == ["q0", "q1"]


def test_datasets_are_listed_by_container_from_the_newest(maniac, source):
    maniac.container("other")
    maniac.log("other", chat("q", "a"))
    ids = [maniac.post(DATASETS, {"name": f"d{n}", "container": "other", "size": 1})["id"] for n in range(3)]
    page = maniac.get(DATASETS, container="other", limit=2)
    assert (page["object"], page["total"]) == ("list", 3)
    assert [each["id"] for each in page["data"]] == ids[:0:-1]
    assert maniac.get(DATASETS, container="none")["total"] == 0
    assert maniac.get(DATASETS)["total"] > 3


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": None}, "name"),
        ({"size": 0}, "size"),
        ({"filters": [{"key": "model", "operator": "like"}]}, "filters.0.operator"),
        ({"filters": [{"key": "model", "operator": "in", "value": "x"}]}, "filters.0.value"),
        ({"filters": [{"key": "n", "operator": "between", "value": [1]}]}, "filters.0.value"),
        ({"filters": [{"key": "model", "operator": "equals", "value": "none"}]}, "container"),
    ],
)
def test_what_is_no_dataset_is_refused_by_its_field(maniac, source, fields, field):
    total = maniac.get(DATASETS)["total"]
    asked = {"name": "d", "container": source, "size": 1, **fields}
    assert maniac.error("POST", DATASETS, asked, status=422)["param"] == field
    assert maniac.get(DATASETS)["total"] == total


def test_what_is_not_there_is_not_found(maniac):
    asked = {"name": "d", "container": "none", "size": 1}
    assert maniac.error("POST", DATASETS, asked, status=404)["message"] == "Container 'none' not found"
    assert maniac.error("GET", f"{DATASETS}/none", status=404)["message"] == "Dataset not found"
