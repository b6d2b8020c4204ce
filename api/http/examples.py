"""A body for each route by which a vendor's client creates something; the ids in them are of things made before."""

from collections.abc import Mapping
from typing import Final

from api.http.fields import JsonDict

TARGET: Final = {
    "type": "model",
    "model": {"api_endpoint": {"url": "https://models.example/v1", "model_id": "llama-3", "api_key": "sk-..."}},
}
CONFIG: Final = {
    "type": "custom",
    "params": {"parallelism": 4, "limit_samples": 100, "temperature": 0.7},
    "tasks": {
        "qa": {
            "type": "chat-completion",
            "params": {
                "template": {"messages": [{"role": "user", "content": "Q: {{item.question}}"}], "max_tokens": 200}
            },
            "dataset": {"files_url": "hf://datasets/org/ds/math.csv"},
            "metrics": {
                "accuracy": {
                    "type": "string-check",
                    "params": {"check": ["{{sample.output_text}}", "contains", "{{item.answer}}"]},
                }
            },
        }
    },
}

CREATES: Final[Mapping[str, JsonDict]] = {
    "/v1/evaluation/targets": {"name": "llama", **TARGET},
    "/v1/evaluation/configs": {"name": "math", **CONFIG},
    "/v1/evaluation/jobs": {"target": "default/llama", "config": "default/math"},
    "/v2/evaluation/jobs": {"name": "nightly", "spec": {"target": TARGET, "config": CONFIG}},
    "/v1/evaluation": {
        "type": "classify",
        "parameters": {
            "input_data_file_path": "file-abc123",
            "judge": {
                "model": "openai/gpt-oss-120b",
                "model_source": "serverless",
                "system_template": "You are an expert evaluator. Is the answer good or bad?",
            },
            "labels": ["good", "bad"],
            "pass_labels": ["good"],
            "model_to_evaluate": "response",
        },
    },
    "/api/v3/evaluations": {"benchmark_id": "benchmark-abc123", "model_id": "llama-3"},
    "/v1/evaluation/runs": {
        "container": "support",
        "evaluators": ["helpful"],
        "sample": {"type": "generate", "models": ["llama-3"]},
    },
}


def add_examples(made: JsonDict) -> None:
    """Put the examples into an OpenAPI document."""
    for path, body in CREATES.items():
        made["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"] = body
