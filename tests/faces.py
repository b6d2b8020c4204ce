"""A client of each face, as its users write them: it creates an evaluation, and says what the face shows of it."""

import json
from typing import Any, ClassVar, Protocol

import httpx
import orjson
from nemo_microservices import NeMoMicroservices

from core.job import Face
from core.metric import Range
from tasks.judging.scales import instruction
from tests.questions import PASSING, Figures, Questions, Sample

Json = dict[str, Any]

SCALE = Range(minimum=0, maximum=1, threshold=PASSING)
BRIEF = "Be brief."
GRADE = "Grade the response."
SHOWN = "Prompt:\n{{question}}\n\nResponse:\n{{ sample.output_text }}"
SAMPLING = {"max_tokens": 64, "temperature": 0.5}


class Client(Protocol):
    """A client of one face; `score` is how the core calls what the face shows the mean of."""

    face: ClassVar[Face]
    score: ClassVar[str]

    def create(self, questions: Questions) -> str: ...

    def has_ended(self, job_id: str) -> bool: ...

    def figures(self, job_id: str) -> Figures: ...

    def listed(self) -> list[str]: ...


class Http:
    """What the clients have that speak plain HTTP; models without a URL are those of the service's settings."""

    score: ClassVar[str] = "score"

    def __init__(self, http: httpx.Client, models_url: str) -> None:
        self.http = http
        self.models_url = models_url

    def get(self, path: str, **query: Any) -> Any:
        return self.http.get(path, params=query).raise_for_status().json()

    def post(self, path: str, body: object) -> Any:
        response = self.http.post(path, json=body)
        assert response.is_success, response.text
        return response.json()

    def upload(self, questions: Questions) -> str:
        """Upload questions, for whichever face, and return the id of the file."""
        content = b"".join(orjson.dumps(row) + b"\n" for row in questions.rows)
        form = {"purpose": "eval", "file_type": "jsonl"}
        response = self.http.post("/v1/files", files={"file": (f"{questions.tag}.jsonl", content)}, data=form)
        return str(response.raise_for_status().json()["id"])


def chat(system: str, user: str) -> Json:
    return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]}


def nemo_model(url: str, name: str, sampling: Json) -> Json:
    return {"api_endpoint": {"url": url, "model_id": name}, "prompt": {"inference_params": sampling}}


class NemoV2(Http):
    face: ClassVar[Face] = "nemo-v2"

    def __init__(self, http: httpx.Client, models_url: str) -> None:
        super().__init__(http, models_url)
        self.sdk = NeMoMicroservices(
            base_url=http.base_url, http_client=http, max_retries=0, _strict_response_validation=True
        )

    def create(self, questions: Questions) -> str:
        return self.create_from(self.spec(self.upload(questions)))

    def create_from(self, spec: Any) -> str:
        return str(self.sdk.v2.evaluation.jobs.create(spec=spec).id)

    def spec(self, file_id: str) -> Json:
        """Return the evaluation that Together's client asks for too."""
        judging = {
            "model": nemo_model(self.models_url, "judge", SAMPLING),
            "template": chat(f"{GRADE}\n\n{instruction(SCALE)}", SHOWN),
            "scores": {
                "score": {"type": "number", "parser": {"type": "json", "json_path": "score"}},
                "passed": {"type": "int", "parser": {"type": "json", "json_path": "binary_correctness"}},
            },
        }
        task = {
            "type": "chat-completion",
            "params": {"template": chat(BRIEF, "{{question}}")},
            "dataset": {"files_url": f"file:{file_id}", "format": "jsonl"},
            "metrics": {"judge": {"type": "llm-judge", "params": judging}},
        }
        target = {"type": "model", "model": nemo_model(self.models_url, "m", SAMPLING)}
        return {"target": target, "config": {"type": "custom", "params": {"parallelism": 8}, "tasks": {"score": task}}}

    def has_ended(self, job_id: str) -> bool:
        return self.sdk.v2.evaluation.jobs.retrieve(job_id).status in ("completed", "error", "cancelled")

    def figures(self, job_id: str) -> Figures:
        return self._figures(self.sdk.v2.evaluation.jobs.results.evaluation_results.retrieve(job_id))

    def listed(self) -> list[str]:
        return [str(job.id) for job in self.sdk.v2.evaluation.jobs.list(page_size=100)]

    def _figures(self, results: Any) -> Figures:
        (task,) = results.tasks.values()
        scores = task.metrics["judge"].scores
        stats = scores["score"].stats
        return Figures(
            stats.count + stats.nan_count, stats.count, stats.nan_count, scores["score"].value, scores["passed"].value
        )


class NemoV1(NemoV2):
    face: ClassVar[Face] = "nemo-v1"

    def create_from(self, spec: Any) -> str:
        return str(self.sdk.evaluation.jobs.create(**spec).id)

    def has_ended(self, job_id: str) -> bool:
        return self.sdk.evaluation.jobs.retrieve(job_id).status in ("completed", "failed", "cancelled")

    def figures(self, job_id: str) -> Figures:
        return self._figures(self.sdk.evaluation.jobs.results(job_id))

    def listed(self) -> list[str]:
        return [str(job.id) for job in self.sdk.evaluation.jobs.list(page_size=100)]


class Together(Http):
    face: ClassVar[Face] = "together"

    def create(self, questions: Questions) -> str:
        return str(self.post("/v1/evaluation", self.body(self.upload(questions)))["workflow_id"])

    def body(self, file_id: str) -> Json:
        model = {"model_source": "external", "external_base_url": self.models_url, "num_workers": 4, **SAMPLING}
        return {
            "type": "score",
            "parameters": {
                "input_data_file_path": file_id,
                "judge": {**model, "model": "judge", "system_template": GRADE},
                "model_to_evaluate": {
                    **model,
                    "model": "m",
                    "system_template": BRIEF,
                    "input_template": "{{question}}",
                },
                "min_score": SCALE.minimum,
                "max_score": SCALE.maximum,
                "pass_threshold": SCALE.threshold,
            },
        }

    def has_ended(self, job_id: str) -> bool:
        return self.get(f"/v1/evaluation/{job_id}/status")["status"] in ("completed", "error", "user_error")

    def figures(self, job_id: str) -> Figures:
        results = self.get(f"/v1/evaluation/{job_id}")["results"]
        lines = self.http.get(f"/v1/files/{results['result_file_id']}/content").text.splitlines()
        successes = sum(json.loads(line)["evaluation_successful"] for line in lines)
        scores, failed = results["aggregated_scores"], results["failed_samples"]
        counters = ("generation_fail_count", "judge_fail_count", "invalid_score_count")
        assert failed == sum(results[counter] for counter in counters)
        return Figures(len(lines), successes, failed, scores["mean_score"], scores["pass_percentage"] / 100)

    def listed(self) -> list[str]:
        return [job["workflow_id"] for job in self.get("/v1/evaluation", limit=100)]


class Nugen(Http):
    face: ClassVar[Face] = "nugen"
    score: ClassVar[str] = "answer_relevance"

    def create(self, questions: Questions) -> str:
        file = {"file": ("questions.json", orjson.dumps(questions.rows))}
        uploaded = self.http.post("/api/v3/benchmark/upload", files=file, data={"name": questions.tag})
        benchmark = uploaded.raise_for_status().json()["benchmark_id"]
        body = {"benchmark_id": benchmark, "model_id": "m"}
        return str(self.post("/api/v3/evaluations", body)["evaluation_id"])

    def has_ended(self, job_id: str) -> bool:
        return self.get(f"/api/v3/evaluations/{job_id}/status")["status"] in ("READY", "FAILED")

    def figures(self, job_id: str) -> Figures:
        metrics = self.get(f"/api/v3/evaluations/{job_id}/results")["metrics"]
        rows = self.get(f"/api/v3/evaluations/{job_id}/download")["detailed_results"]
        scored = sum(row["score"] is not None for row in rows)
        failed = sum("error" in row for row in rows)
        return Figures(metrics["total_questions"], scored, failed, metrics["relevance"], metrics["accuracy"])

    def listed(self) -> list[str]:
        return [each["evaluation_id"] for each in self.get("/api/v3/evaluations", limit=100)["evaluations"]]


class Maniac(Http):
    face: ClassVar[Face] = "maniac"

    def create(self, questions: Questions) -> str:
        label = questions.tag
        self.post("/v1/containers", {"label": label, "initial_model": "m"})
        self.post("/v1/chat/completions/register", {"container": label, "items": list(map(_example, questions.rows))})
        judging = {"type": "judge", "model": "judge", "prompt": "How good is A, beside B?", "container": label}
        evaluator = self.post("/v1/evaluators", {**judging, "name": label, "pass_threshold": PASSING})
        sample = {"type": "generate", "models": ["m"]}
        asked = {"container": label, "evaluators": [evaluator["id"]], "sample": sample}
        return str(self.post("/v1/evaluation/runs", asked)["id"])

    def has_ended(self, job_id: str) -> bool:
        return self._run(job_id)["status"] in ("completed", "error", "cancelled")

    def figures(self, job_id: str) -> Figures:
        (launch,) = self._run(job_id)["results"]["per_model"]
        (of_judge,) = launch["per_eval"].values()
        names = ("num_total", "num_scored", "num_errors", "avg_score", "accuracy")
        return Figures(*(of_judge[name] for name in names))

    def listed(self) -> list[str]:
        return [run["id"] for run in self.get("/v1/evaluation/runs", limit=100)["data"]]

    def _run(self, job_id: str) -> Any:
        return self.get(f"/v1/evaluation/runs/{job_id}")


def _example(row: Json) -> Json:
    said = {"message": {"role": "assistant", "content": row["answer"]}}
    return {"input": {"messages": [{"role": "user", "content": row["question"]}]}, "output": {"choices": [said]}}


class Native(Http):
    """The native API; its jobs are of the newest version of NeMo."""

    face: ClassVar[Face] = "nemo-v2"

    def create(self, questions: Questions) -> str:
        judging = {
            "type": "judge",
            "name": "judge",
            "endpoint": {"model": "judge"},
            "prompt": {"body": chat(f"{GRADE}\n\n{instruction(SCALE)}", SHOWN)},
            "scale": SCALE.model_dump(),
        }
        task = {
            "name": "score",
            "dataset": {"kind": "files", "url": f"file:{self.upload(questions)}", "format": "jsonl"},
            "prompts": {"target": {"body": chat(BRIEF, "{{question}}")}},
            "metrics": [judging],
        }
        return self.create_from({"targets": [{"kind": "model", "endpoint": {"model": "m"}}], "tasks": [task]})

    def create_from(self, spec: Json) -> str:
        return str(self.post("/api/assay/v1/jobs", {"spec": spec})["id"])

    def has_ended(self, job_id: str) -> bool:
        return self.job(job_id)["status"] in ("completed", "failed", "cancelled", "unknown")

    def figures(self, job_id: str) -> Figures:
        return self.figures_of(job_id, self.score)

    def listed(self) -> list[str]:
        return [job["id"] for job in self.get("/api/assay/v1/jobs", page_size=100)["data"]]

    def job(self, job_id: str) -> Any:
        return self.get(f"/api/assay/v1/jobs/{job_id}")

    def figures_of(self, job_id: str, score: str) -> Figures:
        """Return what became of a job of any face; `score` is the one whose mean is asked for."""
        summaries = self.get(f"/api/assay/v1/jobs/{job_id}/summaries")["data"]
        (summary,) = (each for each in summaries if each["name"] == score)
        values = [value for _, _, value in self.samples_of(job_id, score) if value is not None]
        passing = sum(value >= PASSING for value in values) / len(values)
        missing = sum(count for outcome, count in summary["outcomes"].items() if outcome != "scored")
        return Figures(len(self.samples_of(job_id, score)), summary["count"], missing, summary["mean"], passing)

    def samples_of(self, job_id: str, score: str) -> list[Sample]:
        rows = self.get(f"/api/assay/v1/jobs/{job_id}/samples", limit=1000)["data"]
        found = [(row["output"], each) for row in rows for each in row["scores"] if each["name"] == score]
        return [(output, each["outcome"], each["value"]) for output, each in found]
