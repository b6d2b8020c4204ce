from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from core.job import Failure, utcnow
from tests.api.conftest import Service
from tests.api.nugen.conftest import GRADES, QUESTIONS, Nugen, answering
from tests.inputs import rows_of

EVALUATIONS = "/api/v3/evaluations"
EXACT = 1e-12
PUBLISHED: dict[str, Any] = {
    "base": {
        "answer_relevance_max": 1.0,
        "answer_relevance_min": 0.4,
        "answer_relevance_std": 0.22449944320643647,
        "answer_relevance_mean": 0.8399999999999999,
        "binary_correctness_max": 1.0,
        "binary_correctness_min": 1.0,
        "binary_correctness_std": 0.0,
        "binary_correctness_mean": 1.0,
    },
    "evaluated": {
        "answer_relevance_max": 1.0,
        "answer_relevance_min": 0.5,
        "answer_relevance_std": 0.1854723699099141,
        "answer_relevance_mean": 0.86,
        "binary_correctness_max": 1.0,
        "binary_correctness_min": 0.0,
        "binary_correctness_std": 0.4000000000000001,
        "binary_correctness_mean": 0.8,
    },
    "comparison": {
        "metrics": [
            {"base": 1.0, "metric": "binary_correctness_mean", "evaluated": 0.8, "improvement_%": -20.0},
            {"base": 0.0, "metric": "binary_correctness_std", "evaluated": 0.4, "improvement_%": 0},
            {"base": 1.0, "metric": "binary_correctness_min", "evaluated": 0.0, "improvement_%": -100.0},
            {"base": 1.0, "metric": "binary_correctness_max", "evaluated": 1.0, "improvement_%": 0.0},
            {"base": 0.84, "metric": "answer_relevance_mean", "evaluated": 0.86, "improvement_%": 2.38},
            {"base": 0.2245, "metric": "answer_relevance_std", "evaluated": 0.1855, "improvement_%": -17.38},
            {"base": 0.4, "metric": "answer_relevance_min", "evaluated": 0.5, "improvement_%": 25.0},
            {"base": 1.0, "metric": "answer_relevance_max", "evaluated": 1.0, "improvement_%": 0.0},
        ],
        "summary": {"avg_improvement": -13.75, "max_improvement": 25.0, "min_improvement": -100.0},
    },
}
"""What the vendor's service answered in a notebook that it published in July 2026."""


class TestCreate:
    def test_the_documented_request_has_the_documented_answer(self, nugen: Nugen) -> None:
        benchmark = nugen.upload().json()["benchmark_id"]
        body = {"model_id": "aligned", "benchmark_id": benchmark, "custom_metrics": ["accuracy", "relevance"]}
        response = nugen.http.post(EVALUATIONS, json=body)
        created = response.json()
        assert response.status_code == 200
        assert created.pop("evaluation_id").startswith("eval_")
        made = created.pop("created_at")
        assert made.endswith("Z")
        assert abs((datetime.now(UTC) - datetime.fromisoformat(made)).total_seconds()) < 60
        assert created == {
            "model_id": "aligned",
            "status": "PROCESSING",
            "benchmark_id": benchmark,
            "message": "Evaluation created successfully and queued for execution",
        }

    def test_the_job_has_its_own_copy_of_the_benchmark_and_says_which_it_was(self, nugen: Nugen) -> None:
        created = nugen.create(judge_provider="openai", evaluation_name="nightly")
        job = nugen.state.jobs.get(created["evaluation_id"])
        stored = nugen.state.benchmarks.get(created["benchmark_id"])
        assert job.request["benchmark_sha256"] == stored.sha256
        assert (job.request["judge_provider"], job.description, job.config) == ("openai", "nightly", stored.id)
        assert rows_of(nugen.state.files, job.spec) == nugen.state.benchmarks.questions(stored.id)

    def test_a_judge_provider_of_null_is_the_usual_one(self, nugen: Nugen) -> None:
        created = nugen.create(judge_provider=None, model_id_2=None, custom_metrics=None)
        detail = nugen.http.get(f"/api/v3/evaluations/{created['evaluation_id']}").json()
        assert (detail["judge_provider"], detail["model_id_2"]) == ("anthropic", None)

    def test_a_request_that_is_sent_again_makes_no_second_evaluation(self, nugen: Nugen) -> None:
        body = {"benchmark_id": nugen.upload().json()["id"], "model_id": "m"}
        sent = [nugen.http.post(EVALUATIONS, json=body, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
        assert sent[0] == sent[1]
        assert nugen.http.post(EVALUATIONS, json=body).json()["evaluation_id"] != sent[0]["evaluation_id"]

    @pytest.mark.parametrize("path", ["", "/", "/create", "/create/"])
    def test_every_way_to_ask_is_answered_without_a_redirect(self, nugen: Nugen, path: str) -> None:
        body = {"benchmark_id": nugen.upload().json()["id"], "model_id": "new", "baseline_model_id": "old"}
        response = nugen.http.post(EVALUATIONS + path, json=body)
        assert (response.status_code, response.json()["model_id"]) == (200, "new")
        spec = nugen.state.jobs.get(response.json()["evaluation_id"]).spec
        assert spec is not None
        assert [target.endpoint.model for target in spec.targets] == ["old", "new"]  # type: ignore[union-attr]

    def test_what_is_missing_or_wrong_is_named(self, nugen: Nugen) -> None:
        response = nugen.http.post(EVALUATIONS, json={"model_id": "m"})
        assert response.status_code == 422
        assert response.json() == {
            "detail": [{"loc": ["body", "benchmark_id"], "msg": "Field required", "type": "missing"}]
        }
        wrongs: list[tuple[dict[str, Any], str]] = [
            ({"model_id": ""}, "model_id"),
            ({"model_id_2": 5}, "model_id_2"),
            ({"custom_metrics": "tone"}, "custom_metrics"),
            ({"custom_metrics": {"tone": 5}}, "custom_metrics"),
            ({"custom_metrics": [" "]}, "custom_metrics"),
            ({"custom_metrics": {"answer_relevance": "mine"}}, "custom_metrics"),
        ]
        for wrong, place in wrongs:
            body = {"model_id": "m", "benchmark_id": nugen.upload().json()["id"], **wrong}
            answer = nugen.http.post(EVALUATIONS, json=body)
            assert (answer.status_code, answer.json()["detail"][0]["loc"][1]) == (422, place), wrong
        assert nugen.http.post(EVALUATIONS, content=b'{"model_id": "m", ').status_code == 422

    def test_two_comparisons_at_once_are_refused(self, nugen: Nugen) -> None:
        body = {"model_id": "a", "model_id_2": "b", "baseline_model_id": "c", "benchmark_id": "any"}
        answer = nugen.http.post(EVALUATIONS, json=body)
        assert answer.status_code == 422
        assert "model_id_2 or baseline_model_id" in answer.json()["detail"][0]["msg"]

    def test_an_unknown_benchmark_is_not_found(self, nugen: Nugen) -> None:
        answer = nugen.http.post(EVALUATIONS, json={"model_id": "m", "benchmark_id": "task-abc123"})
        assert (answer.status_code, answer.json()) == (404, {"detail": "Benchmark not found"})

    def test_a_model_that_is_nowhere_is_named_with_the_setting_that_is_missing(
        self, service: Service, nugen: Nugen
    ) -> None:
        body = {"model_id": "m", "benchmark_id": nugen.upload().json()["id"]}
        unknown = service.http.post(EVALUATIONS, json=body)
        assert unknown.status_code == 422
        assert unknown.json()["detail"][0]["loc"] == ["body", "model_id"]
        assert "ASSAY_DEFAULT_ENDPOINT" in unknown.json()["detail"][0]["msg"]


class TestRead:
    def test_a_published_comparison_is_reproduced(self, nugen: Nugen) -> None:
        created = nugen.create(model_id="first", model_id_2="second")
        nugen.finish(created["evaluation_id"], GRADES, shards=2)
        results = nugen.get(created["evaluation_id"], "results")
        assert results["comparison"] == PUBLISHED["comparison"]
        zero = results["comparison"]["metrics"][1]["improvement_%"]
        assert isinstance(zero, int)
        for whose, name, model in [("base_model", "base", "first"), ("eval_model", "evaluated", "second")]:
            assert results[whose]["model_id"] == model
            assert results[whose]["metrics"] == pytest.approx(PUBLISHED[name], rel=0, abs=EXACT)
        rest = {key: results[key] for key in ("metrics", "raw_answers_count", "method", "model_id", "model_id_2")}
        assert rest == {
            "metrics": None,
            "raw_answers_count": 10,
            "method": "eval-compare",
            "model_id": "first",
            "model_id_2": "second",
        }

    def test_one_model_has_all_names_of_its_figures(self, nugen: Nugen) -> None:
        created = nugen.create(custom_metrics={"tone": "polite"})
        grades = {"model": {**GRADES["evaluated"], "tone": [1, 0.5, None, None, None]}}
        nugen.finish(created["evaluation_id"], grades)
        results = nugen.get(created["evaluation_id"], "results")
        assert results["metrics"] == pytest.approx(
            PUBLISHED["evaluated"]
            | {"accuracy": 0.8, "relevance": 0.86, "average_score": 0.8, "total_questions": 5, "correct_answers": 4}
            | {"tone_mean": 0.75, "tone_std": 0.25, "tone_min": 0.5, "tone_max": 1.0}
        )
        assert (results["method"], results["status"], results["raw_answers_count"]) == ("eval", "READY", 5)
        for absent in ("model_id_2", "base_model", "eval_model", "comparison"):
            assert results[absent] is None

    def test_the_status_follows_the_job_and_counts_the_answers_of_both_models(self, nugen: Nugen) -> None:
        evaluation = nugen.create(model_id_2="second")["evaluation_id"]
        waiting = nugen.get(evaluation, "status")
        assert (waiting["status"], waiting["progress"], waiting["start_time"]) == ("PROCESSING", "0/10 questions", None)
        assert (waiting["avg_time_per_question"], waiting["eta_seconds"]) == (None, None)
        nugen.begin(evaluation, judged=2)
        running = nugen.get(evaluation, "status")
        assert (running["questions_completed"], running["total_questions"]) == (4, 10)
        assert running["eta_seconds"] == pytest.approx(6 * running["avg_time_per_question"], abs=0.1)
        assert running["start_time"].endswith("Z")
        nugen.finish(evaluation, GRADES)
        ready = nugen.get(evaluation, "status")
        shown = {key: ready[key] for key in ("status", "progress", "eta_seconds", "avg_time_per_question", "error")}
        assert shown == {
            "status": "READY",
            "progress": "10/10 questions",
            "eta_seconds": 0,
            "avg_time_per_question": None,
            "error": None,
        }
        assert ready["end_time"] >= ready["start_time"]

    def test_what_is_not_finished_has_no_results_and_says_why(self, nugen: Nugen) -> None:
        running, broken, cancelled = (nugen.create()["evaluation_id"] for _ in range(3))
        failure = Failure(blame="upstream", code="endpoint_failed", message="the model answered no request")
        nugen.state.jobs.settle(broken, status="failed", failure=failure, finished_at=utcnow())
        nugen.state.jobs.settle(cancelled, status="cancelled", finished_at=utcnow())
        for what in ("results", "download"):
            answers = [nugen.http.get(f"{EVALUATIONS}/{each}/{what}") for each in (running, broken, cancelled)]
            assert [answer.status_code for answer in answers] == [400, 400, 400]
            assert [answer.json()["detail"] for answer in answers] == [
                "Evaluation is not finished yet",
                "Evaluation failed: the model answered no request",
                "Evaluation failed: The evaluation was cancelled",
            ]
        status = nugen.get(broken, "status")
        assert (status["status"], status["error"]) == ("FAILED", "the model answered no request")

    def test_the_detail_has_the_status_and_then_the_figures(self, nugen: Nugen) -> None:
        created = nugen.create(baseline_model_id="old", evaluation_name="nightly")
        path = f"{EVALUATIONS}/{created['evaluation_id']}"
        before = nugen.http.get(path).json()
        assert (before["status"], before["base_model"], before["evaluation_name"]) == ("PROCESSING", None, "nightly")
        nugen.finish(created["evaluation_id"], GRADES)
        after = nugen.http.get(f"{path}/").json()
        assert (after["model_id"], after["baseline_model_id"], after["model_id_2"]) == ("m", "old", None)
        assert (after["base_model"]["model_id"], after["eval_model"]["model_id"]) == ("old", "m")
        assert after["comparison"] == PUBLISHED["comparison"]

    def test_a_model_of_which_nothing_was_graded_has_no_figures_rather_than_zeros(self, nugen: Nugen) -> None:
        created = nugen.create(model_id_2="silent")
        nothing = dict.fromkeys(("binary_correctness", "answer_relevance"), [None] * 5)
        nugen.finish(created["evaluation_id"], {"base": GRADES["base"], "evaluated": nothing})
        results = nugen.get(created["evaluation_id"], "results")
        assert set(results["eval_model"]["metrics"].values()) == {None}
        assert {row["improvement_%"] for row in results["comparison"]["metrics"]} == {None}
        assert set(results["comparison"]["summary"].values()) == {None}
        assert results["base_model"]["metrics"] == pytest.approx(PUBLISHED["base"])


class TestDownload:
    def test_a_file_has_every_answer_with_its_grades(self, nugen: Nugen) -> None:
        created = nugen.create(custom_metrics=["tone"])
        grades: dict[str, Any] = {"binary_correctness": [1, 1, 0, 1, 1], "answer_relevance": [0.5, None, 0.9, 1, 1]}
        nugen.finish(created["evaluation_id"], {"model": {**grades, "tone": [0.25] * 5}}, shards=3)
        response = nugen.http.get(f"{EVALUATIONS}/{created['evaluation_id']}/download")
        name = f"evaluation_results_{created['evaluation_id']}.json"
        assert response.headers["content-disposition"] == f"attachment; filename={name}"
        assert response.headers["content-type"] == "application/json"
        document = response.json()
        rows = document.pop("detailed_results")
        results = nugen.get(created["evaluation_id"], "results")
        assert document == results
        assert document["created_at"] == created["created_at"]
        assert [row["question"] for row in rows] == [question["question"] for question in QUESTIONS]
        assert rows[1] == {
            "question_id": 2,
            "question": "2 + 2?",
            "expected_answer": "4",
            "model_answer": "model 1",
            "score": 1.0,
            "relevance": None,
            "custom_metrics": {"tone": 0.25},
            "error": "no 'answer_relevance'",
        }
        assert "error" not in rows[0]
        assert response.text.startswith('{\n  "')
        assert '\n    {\n      "question_id": 1,\n' in response.text

    def test_a_comparison_says_whose_answers_they_are(self, nugen: Nugen) -> None:
        created = nugen.create(model_id_2="second")
        nugen.finish(created["evaluation_id"], GRADES)
        response = nugen.http.get(f"{EVALUATIONS}/{created['evaluation_id']}/download/")
        name = f"evaluation_comparison_{created['evaluation_id']}.json"
        assert response.headers["content-disposition"] == f"attachment; filename={name}"
        rows = response.json()["detailed_results"]
        assert [row["model_id"] for row in rows] == ["m", "second"] * 5
        assert response.json()["comparison"]["metrics"][0]["improvement_%"] == -20.0


class TestList:
    def test_a_list_is_narrowed_and_goes_on_from_any_place(self, nugen: Nugen) -> None:
        made = [nugen.create(model_id="listed")["evaluation_id"] for _ in range(4)]
        nugen.finish(made[1], {"model": GRADES["base"]})
        nugen.state.jobs.settle(made[2], status="failed", finished_at=utcnow())

        def listed(**query: Any) -> list[str]:
            answer = nugen.http.get(EVALUATIONS, params={"model_id": "listed", **query}).json()
            return [each["evaluation_id"] for each in answer["evaluations"]]

        assert listed() == made[::-1]
        assert listed(limit=2, offset=1) == [made[2], made[1]]
        assert listed(offset=4) == []
        for words, found in [
            (("READY", "ready", "completed"), [made[1]]),
            (("FAILED", "failed"), [made[2]]),
            (("PROCESSING", "pending", "in_progress"), [made[3], made[0]]),
        ]:
            assert {tuple(listed(status=word)) for word in words} == {tuple(found)}
        page = nugen.http.get(f"{EVALUATIONS}/", params={"model_id": "listed", "limit": 1, "status": "READY"}).json()
        (element,) = page.pop("evaluations")
        assert page == {"user_id": "local", "total": 1, "limit": 1, "offset": 0}
        assert element["metrics"]["accuracy"] == 1.0
        assert (element["status"], element["judge_provider"]) == ("READY", "anthropic")

    @pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "status=DONE", "status=", "limit=x"])
    def test_a_wrong_query_is_refused_by_name(self, nugen: Nugen, query: str) -> None:
        answer = nugen.http.get(f"{EVALUATIONS}?{query}")
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", query.split("=")[0]]


class TestDelete:
    def test_what_is_deleted_is_gone_at_once(self, nugen: Nugen) -> None:
        evaluation = nugen.create()["evaluation_id"]
        path = f"{EVALUATIONS}/{evaluation}"
        assert nugen.http.delete(path).json() == {"id": evaluation, "message": "Successfully deleted evaluation"}
        gone = [nugen.http.get(path + what) for what in ("", "/status", "/results", "/download")]
        assert {answer.status_code for answer in (*gone, nugen.http.delete(path))} == {404}
        assert gone[0].json() == {"detail": "Evaluation not found"}

    def test_an_evaluation_outlives_its_benchmark(self, nugen: Nugen) -> None:
        created = nugen.create()
        nugen.finish(created["evaluation_id"], {"model": GRADES["base"]})
        nugen.http.delete(f"/api/v3/benchmark/{created['benchmark_id']}")
        assert nugen.get(created["evaluation_id"], "status")["progress"] == "5/5 questions"
        assert len(nugen.get(created["evaluation_id"], "download")["detailed_results"]) == 5

    def test_jobs_of_other_faces_are_no_evaluations(self, nugen: Nugen) -> None:
        evaluation = nugen.create()["evaluation_id"]
        assert nugen.http.get(f"/v2/evaluation/jobs/{evaluation}").status_code == 404
        native = nugen.http.get(f"/api/assay/v1/jobs/{evaluation}").json()
        assert (native["face"], native["model"], native["name"]) == ("nugen", "m", evaluation)


def test_who_shows_no_key_is_forbidden_and_who_shows_a_wrong_one_is_unknown(nugen: Nugen) -> None:
    settings = nugen.state.settings.model_copy(update={"api_keys": (SecretStr("the-key"),)})
    with answering(replace(nugen.state, settings=settings)) as http:
        answers = [
            http.get(EVALUATIONS, headers={"Authorization": given} if given else {})
            for given in ("", "Bearer another", "Bearer the-key")
        ]
    assert [answer.status_code for answer in answers] == [403, 401, 200]
    assert [answer.json() for answer in answers[:2]] == [{"detail": "Not authenticated"}] * 2


def test_a_judge_that_is_not_set_up_is_no_fault_of_the_request(nugen: Nugen) -> None:
    body = {"model_id": "elsewhere", "benchmark_id": nugen.upload().json()["id"]}
    for chosen, said in [({"default_judge": None}, "set ASSAY_DEFAULT_JUDGE"), ({"default_endpoint": None}, "no URL")]:
        settings = nugen.state.settings.model_copy(update=chosen)
        with answering(replace(nugen.state, settings=settings)) as http:
            answer = http.post(EVALUATIONS, json=body)
        assert answer.status_code == 501
        assert said in answer.json()["detail"]
