import orjson
import pytest

from core.job import Failure, utcnow
from tests.api.maniac.conftest import JUDGE, SAME, chat
from tests.scripted import by_default, failure, text

RUNS = "/v1/evaluation/runs"


def contents(call):
    return [message["content"] for message in call["body"]["messages"]]


def by_model(request):
    """A judge that holds the first response against the second, and models that are good, or not."""
    model, said = request["body"]["model"], contents(request)[-1]
    if model == "judge":
        _, _, pair = said.partition("Response A:\n")
        sample, truth = pair.split("\n\nResponse B:\n")
        return text("TRUE" if sample == truth else "FALSE")
    return text(said.replace("q", "a") if model == "good" else "something else")


@pytest.fixture(autouse=True)
def _script(model):
    model.script = by_model
    model.calls.clear()
    yield
    model.script = by_default


@pytest.fixture(scope="module", autouse=True)
def _logged(maniac):
    """A container whose logged answers to q0, q1, ... are a0, a1, ...; a judge; and code."""
    maniac.container("support", default_system_prompt='Be "kind" {{ always }} 😀', default_parameters={"seed": 1})
    maniac.log("support", *(chat(f"q{n}", f"a{n}") for n in range(6)))
    maniac.evaluator(**JUDGE, name="judge")
    maniac.evaluator(type="code", source=SAME, name="same")


def generate(*models, **fields):
    return {"type": "generate", "models": list(models), **fields}


class TestCreate:
    def test_a_new_run_is_answered_with_every_field_and_what_was_left_out(self, maniac, service):
        woken = len(service.woken)
        asked = {
            "container": "support",
            "evaluators": ["judge"],
            "environment": "main",
            "sample": generate("good", "bad", range="0:2"),
            "metadata": {"k": "v"},
        }
        run = maniac.post(RUNS, asked)
        assert run == {
            "object": "evaluation.run",
            "id": run["id"],
            "process_id": run["id"],
            "created_at": run["created_at"],
            "finished_at": None,
            "error_at": None,
            "status": "pending",
            "error": None,
            "evaluators": [maniac.get("/v1/evaluators/judge")["id"]],
            "container": maniac.get("/v1/containers/support")["id"],
            "dataset_id": None,
            "sample": {"type": "generate", "models": ["good", "bad"], "range": "0:2"},
            "ground_truth": {"type": "container", "container": "support", "range": "0:2"},
            "results": None,
            "metrics": None,
            "config": asked,
            "spend": None,
            "metadata": {"k": "v"},
        }
        assert maniac.get(f"{RUNS}/{run['id']}") == maniac.get(f"/api{RUNS}/{run['id']}") == run
        assert len(service.woken) == woken + 1

    @pytest.mark.parametrize(
        ("fields", "status", "field"),
        [
            ({}, 422, "sample"),
            ({"sample": generate("good"), "ground_truth": generate("bad")}, 422, "ground_truth"),
            ({"ground_truth": generate("good", "bad")}, 422, "ground_truth.models"),
            ({"sample": generate()}, 422, "sample.models"),
            ({"sample": generate("good", "good")}, 422, "sample"),
            ({"sample": {"type": "file", "file": "f"}}, 422, "sample.type"),
            ({"sample": {"type": "dataset"}}, 422, "sample.dataset"),
            ({"sample": generate("good", range="5:5")}, 422, "sample.range"),
            ({"sample": generate("good", range="-3:")}, 422, "sample.range"),
            ({"sample": generate("good", range="50:60")}, 422, "sample"),
            ({"sample": generate("good"), "evaluators": []}, 422, "evaluators"),
            ({"sample": generate("good"), "evaluators": None}, 422, "evaluators"),
            ({"sample": generate("good"), "evaluators": ["none"]}, 404, "Evaluator 'none'"),
            ({"sample": generate("good"), "container": "none"}, 404, "Container 'none'"),
            ({"sample": generate("maniac:none")}, 404, "Container 'none'"),
            ({"sample": {"type": "dataset", "dataset": "none"}}, 404, "Dataset 'none'"),
            ({"sample": {"type": "container", "container": "none"}}, 404, "Container 'none'"),
        ],
    )
    def test_what_cannot_be_run_is_refused_and_nothing_is_left(self, maniac, fields, status, field):
        total, files = maniac.get(RUNS)["total"], len(maniac.state.files.newest())
        error = maniac.error("POST", RUNS, {"container": "support", "evaluators": ["judge"], **fields}, status=status)
        assert error["param"] == field if status == 422 else error["message"].startswith(field)
        assert maniac.get(RUNS)["total"] == total
        assert len(maniac.state.files.newest()) == files

    def test_a_model_that_has_no_url_is_not_found(self, maniac, service):
        for evaluator, model in (("same", "good"), ("judge", "judge")):
            side = generate("good") if evaluator == "same" else {"type": "container", "container": "support"}
            asked = {"container": "support", "evaluators": evaluator, "sample": side}
            response = service.http.post(RUNS, json=asked)
            assert response.status_code == 404
            assert response.json()["error"]["message"].startswith(f"model '{model}' has no URL")

    def test_what_older_clients_say_is_understood(self, maniac):
        dataset = maniac.post("/v1/datasets", {"name": "d", "container": "support", "size": 3})["id"]
        asked = {"container": "support", "evaluators": "same", "models": ["good"], "dataset": dataset}
        run = maniac.post(f"/api{RUNS}", asked)
        assert run["sample"] == {"type": "generate", "models": ["good"], "range": "0:100"}
        assert run["ground_truth"] == {"type": "dataset", "dataset": dataset, "range": "0:100"}
        assert (run["dataset_id"], run["config"]) == (dataset, asked)

    def test_a_request_that_is_sent_again_makes_one_run_and_keeps_its_rows_once(self, maniac):
        asked = {"container": "support", "evaluators": ["same"], "sample": generate("good")}
        headers = [{"Idempotency-Key": "once"}, {"Idempotency-Key": "once"}]
        files = len(maniac.state.files.newest())
        ids = {maniac.http.post(RUNS, json=asked, headers=each).json()["id"] for each in headers}
        assert len(ids) == 1
        assert len(maniac.state.files.newest()) == files + 1

    def test_a_key_in_a_request_is_nowhere(self, maniac, service):
        asked = {"container": "support", "evaluators": ["same"], "sample": generate("good")}
        run = maniac.run(**asked, metadata={"api_key": "MARKER-run"})
        assert run["metadata"] == run["config"]["metadata"] == {"api_key": "******"}
        assert b"MARKER-run" not in service.kept()
        assert b"MARKER-default" not in service.kept()


class TestList:
    def test_runs_are_narrowed_by_what_they_show(self, maniac):
        container = maniac.container("listed")
        maniac.log("listed", chat("q", "a"))
        asked = {"container": "listed", "evaluators": "same", "sample": generate("good")}
        ids = [maniac.run(**asked)["id"] for _ in range(4)]
        maniac.state.jobs.settle(ids[0], status="running")
        maniac.state.jobs.settle(ids[1], status="failed", failure=Failure(blame="user", code="c", message="m"))
        maniac.state.jobs.settle(ids[2], status="unknown")

        def found(**query):
            page = maniac.get(RUNS, container="listed", **query)
            assert page["total"] >= len(page["data"])
            return [each["id"] for each in page["data"]]

        assert found() == found(limit=100) == ids[::-1]
        assert found(limit=2, offset=1) == ids[2:0:-1]
        assert found(status="running") == [ids[0]]
        assert found(status="error") == [ids[2], ids[1]]
        assert found(status="pending") == [ids[3]]
        assert found(status="completed") == []
        assert maniac.get(RUNS, container=container["id"])["total"] == 4
        assert maniac.get(RUNS, container="none")["total"] == 0
        assert maniac.error("GET", f"{RUNS}?status=done", status=422)["param"] == "status"
        assert maniac.error("GET", f"{RUNS}/none", status=404)["code"] == "not_found"


class TestCancel:
    def test_a_cancelled_run_is_on_its_way_and_then_cancelled(self, maniac):
        run = maniac.run(container="support", evaluators=["same"], sample=generate("good"))
        for prefix in ("/api", ""):
            assert maniac.post(f"{prefix}{RUNS}/{run['id']}/cancel", None)["status"] == "running"
        maniac.state.jobs.settle(run["id"], status="cancelled", finished_at=utcnow())
        ended = maniac.get(f"{RUNS}/{run['id']}")
        assert (ended["status"], ended["error_at"], ended["results"]) == ("cancelled", None, None)
        assert ended["finished_at"].endswith("Z")
        assert maniac.error("POST", f"{RUNS}/{run['id']}/cancel", status=409)["code"] == "conflict"


class TestResults:
    def test_models_are_asked_as_the_container_says_and_graded_by_every_evaluator(self, maniac, model):
        asked = {"container": "support", "evaluators": ["judge", "same"], "sample": generate("good", "bad")}
        run = maniac.carry_out(maniac.run(**asked)["id"])
        judge, same = run["evaluators"]
        every = {
            "accuracy": 1.0,
            "avg_accuracy": 1.0,
            "avg_score": 1.0,
            "num_total": 6,
            "num_scored": 6,
            "num_errors": 0,
            "num_passed": 6,
            "num_failed": 0,
            "num_missing": 0,
            "expected_count": 6,
            "break_reason": None,
        }
        none = every | {"accuracy": 0.0, "avg_accuracy": 0.0, "avg_score": 0.0, "num_passed": 0, "num_failed": 6}
        assert run["status"] == "completed"
        assert run["results"] == {
            "overall": {"avg_score": 0.5, "avg_accuracy": 0.5},
            "metadata": {},
            "per_model": [
                {
                    "model": {"slug": slug},
                    "per_eval": {judge: figures, same: figures},
                    "avg_score": figures["avg_score"],
                    "avg_accuracy": figures["avg_accuracy"],
                    "launch_index": index,
                    "launch_call_id": None,
                }
                for index, (slug, figures) in enumerate([("good", every), ("bad", none)])
            ],
            "launch_count": 2,
        }
        assert run["metrics"][f"{judge}.avg_accuracy"] == run["metrics"][f"{same}.avg_score"] == 0.5
        generated = next(call for call in model.calls if call["body"]["model"] == "good" and contents(call)[1] == "q0")
        assert contents(generated) == ['Be "kind" {{ always }} 😀', "q0"]
        assert generated["body"]["seed"] == 1
        judged = [contents(call) for call in model.calls if call["body"]["model"] == "judge"]
        system, shown = next(each for each in judged if "Response A:\na0" in each[1])
        assert system == JUDGE["prompt"]
        assert shown == "Conversation:\nuser:\nq0\n\nResponse A:\na0\n\nResponse B:\na0"

    def test_what_is_recorded_is_graded_against_what_a_model_generates(self, maniac, model):
        sample = {"type": "container", "container": "support", "range": "1:4"}
        run = maniac.run(
            container="support", evaluators=["judge", "same"], sample=sample, ground_truth=generate("good")
        )
        results = maniac.carry_out(run["id"])["results"]
        (launch,) = results["per_model"]
        assert launch["model"] == {"slug": "support"}
        assert {each["num_passed"] for each in launch["per_eval"].values()} == {3}
        assert {call["body"]["model"] for call in model.calls} == {"good", "judge"}
        assert len(model.calls) == 6

    def test_a_model_that_is_another_containers_is_asked_as_that_one_says(self, maniac, model):
        maniac.container("better", initial_model="good", default_parameters={"seed": 7})
        run = maniac.run(container="support", evaluators=["same"], sample=generate("maniac:better", range="2:3"))
        (launch,) = maniac.carry_out(run["id"])["results"]["per_model"]
        assert launch["model"] == {"slug": "maniac:better"}
        assert launch["avg_accuracy"] == 1.0
        (call,) = model.calls
        assert (call["body"]["model"], call["body"]["seed"], contents(call)) == ("good", 7, ["q2"])

    def test_two_recorded_sides_are_paired_by_place_and_what_has_no_pair_is_missing(self, maniac, model):
        maniac.container("answers")
        maniac.log("answers", chat("q0", "a0"), chat("q1", "wrong"))
        dataset = maniac.post("/v1/datasets", {"name": "d", "container": "support", "size": 5})["id"]
        run = maniac.run(
            container="support",
            evaluators=["same"],
            sample={"type": "container", "container": "answers"},
            ground_truth={"type": "dataset", "dataset": dataset, "range": "0:4"},
        )
        done = maniac.carry_out(run["id"])
        (figures,) = done["results"]["per_model"][0]["per_eval"].values()
        counts = ("num_total", "num_scored", "num_passed", "num_failed", "num_missing", "expected_count")
        assert [figures[name] for name in counts] == [2, 2, 1, 1, 2, 4]
        assert (figures["accuracy"], done["dataset_id"], model.calls) == (0.5, dataset, [])

    def test_a_range_of_the_generated_side_is_counted_within_that_of_the_other(self, maniac, model):
        truth = {"type": "container", "container": "support", "range": "2:6"}
        run = maniac.run(
            container="support", evaluators=["same"], sample=generate("good", range="1:3"), ground_truth=truth
        )
        maniac.carry_out(run["id"])
        assert sorted(contents(call)[-1] for call in model.calls) == ["q3", "q4"]

    def test_what_has_no_score_is_an_error_and_in_no_mean(self, maniac, model):
        def script(request):
            said = contents(request)[-1]
            if request["body"]["model"] == "judge":
                return text("well..." if "q1" in said else '{"score": 8}' if "q2" in said else "Rating: 0.3e1 of 10")
            return failure(400) if said == "q0" else text("said")

        model.script = script
        maniac.evaluator(**JUDGE, name="rating", pass_threshold=5)
        run = maniac.run(container="support", evaluators=["rating"], sample=generate("m", range="0:4"))
        results = maniac.carry_out(run["id"])["results"]
        (figures,) = results["per_model"][0]["per_eval"].values()
        counts = ("num_total", "num_scored", "num_errors", "num_passed", "num_failed")
        assert [figures[name] for name in counts] == [4, 2, 2, 1, 1]
        assert (figures["avg_score"], figures["accuracy"]) == (5.5, 0.5)
        assert results["overall"] == {"avg_score": 5.5, "avg_accuracy": 0.5}

    def test_with_nothing_scored_the_means_are_null(self, maniac, model):
        model.script = lambda _: text("I cannot say")
        sample = {"type": "container", "container": "support"}
        run = maniac.run(container="support", evaluators=["judge"], sample=sample)
        results = maniac.carry_out(run["id"])["results"]
        (figures,) = results["per_model"][0]["per_eval"].values()
        assert [figures[name] for name in ("accuracy", "avg_accuracy", "avg_score")] == [None] * 3
        assert (figures["num_errors"], figures["num_passed"]) == (6, 0)
        assert figures["break_reason"] == "the judge's reply has no 'score': 'I cannot say'"
        assert results["overall"] == {"avg_score": None, "avg_accuracy": None}

    def test_what_decides_the_kind_of_an_answer_is_asked_for_again(self, maniac, model):
        tools = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]
        calls = [{"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]
        maniac.container("tools")
        maniac.log("tools", chat("q0", None, input_tools=tools, output_tool_calls=calls), chat("q1", "a1"))
        run = maniac.run(container="tools", evaluators=["judge"], sample=generate("good"))
        maniac.carry_out(run["id"])
        asked = {contents(call)[-1]: call["body"]["tools"] for call in model.calls if call["body"]["model"] == "good"}
        assert asked == {"q0": tools, "q1": None}
        shown = [contents(call)[-1] for call in model.calls if call["body"]["model"] == "judge"]
        assert any(each.endswith("Response B:\n" + orjson.dumps(calls).decode()) for each in shown)

    def test_an_ended_run_is_not_changed_by_what_becomes_of_what_it_used(self, maniac):
        maniac.container("gone")
        maniac.log("gone", chat("q0", "a0"))
        made = maniac.evaluator(type="code", source=SAME, name="edited")
        run = maniac.run(container="gone", evaluators=["edited"], sample={"type": "container", "container": "gone"})
        used = maniac.job(run["id"])
        maniac.http.patch(
            "/v1/evaluators/edited", json={"source": "def run_evaluation(item):\n    return 0", "name": "x"}
        )
        maniac.http.delete("/v1/containers/gone")
        done = maniac.carry_out(run["id"])
        maniac.http.delete(f"/v1/evaluators/{made['id']}")
        assert maniac.get(f"{RUNS}/{run['id']}") == done
        assert done["results"]["per_model"][0]["per_eval"][made["id"]]["accuracy"] == 1.0
        (kept,) = used.custom_fields["evaluators"]
        assert (kept["id"], kept["name"], len(kept["digest"])) == (made["id"], "edited", 64)
        assert used.spec.tasks[0].metrics[0].source == SAME

    def test_a_failed_run_says_when_and_why(self, maniac):
        run = maniac.run(container="support", evaluators=["same"], sample=generate("good"))
        failed = Failure(blame="upstream", code="endpoint_failed", message="the model is away")
        maniac.state.jobs.settle(run["id"], status="failed", failure=failed, finished_at=utcnow())
        shown = maniac.get(f"{RUNS}/{run['id']}")
        assert (shown["status"], shown["error"], shown["results"]) == ("error", "the model is away", None)
        assert shown["error_at"] == shown["finished_at"] is not None

    def test_the_native_api_reads_the_same_run(self, maniac):
        run = maniac.run(container="support", evaluators=["same"], sample=generate("good", range="0:2"))
        maniac.carry_out(run["id"])
        (summary,) = maniac.get(f"/api/assay/v1/jobs/{run['id']}/summaries")["data"]
        assert (summary["target"], summary["metric"], summary["mean"]) == ("good", "same", 1.0)
        samples = maniac.get(f"/api/assay/v1/jobs/{run['id']}/samples")["data"]
        assert [each["item"]["ground_truth_text"] for each in samples] == ["a0", "a1"]
