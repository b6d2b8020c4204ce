"""Requests as the clients send them, and their parts, small enough that a test says only what it is about."""

from typing import Any

Json = dict[str, Any]

SEED_FILE = "file-abc123"
SEED_JUDGE = "You are an expert evaluator..."
SEED: Json = {
    "labels": ["good", "bad"],
    "pass_labels": ["good"],
    "model_to_evaluate": "Qwen/Qwen3.5-9B",
    "input_data_file_path": SEED_FILE,
}
SEEDS: dict[str, Json] = {
    "as documented": {
        "type": "classify",
        "parameters": {
            "judge": {
                "model": "openai/gpt-oss-120b",
                "model_source": "serverless",
                "system_template": SEED_JUDGE,
            },
            **SEED,
        },
    },
    "as the first client sent it": {
        "type": "classify",
        "parameters": {"judge": {"model_name": "openai/gpt-oss-120b", "system_template": SEED_JUDGE}, **SEED},
    },
}

NULLS: Json = {
    "type": "classify",
    "parameters": {
        "judge": {
            "model": "m",
            "model_source": "serverless",
            "system_template": "s",
            "external_api_token": None,
            "external_base_url": None,
        },
        "labels": ["a", "b"],
        "pass_labels": ["a"],
        "model_to_evaluate": "prompt",
        "input_data_file_path": SEED_FILE,
    },
}
"""As the first generation sends it."""

EXTERNAL: Json = {
    "type": "score",
    "parameters": {
        "input_data_file_path": SEED_FILE,
        "judge": {
            "model": "gpt-4o-mini",
            "model_source": "external",
            "system_template": "Rate 1-10. Reference: {{answer}}",
            "external_api_token": "sk-MARKER",
            "external_base_url": "http://127.0.0.1:9000/v1",
            "num_workers": 4,
            "max_tokens": 2048,
            "temperature": 0.0,
        },
        "min_score": 1,
        "max_score": 10,
        "pass_threshold": 7,
        "model_to_evaluate": {
            "model": "m1",
            "model_source": "serverless",
            "system_template": "Be brief.",
            "input_template": "{{info.question}}",
            "max_tokens": 256,
            "temperature": 0.2,
        },
    },
}
"""As the second and third generation send it."""

COMPARE: Json = {
    "type": "compare",
    "parameters": {
        "input_data_file_path": SEED_FILE,
        "judge": {"model": "m", "model_source": "serverless", "system_template": "Which is more helpful?"},
        "model_a": "response_a",
        "model_b": {
            "model": "m2",
            "model_source": "dedicated",
            "system_template": "s",
            "input_template": "{{prompt}}",
            "max_tokens": None,
            "temperature": None,
            "num_workers": 3,
        },
        "disable_position_bias_correction": False,
    },
}
"""As the command line sends it: what was not given is null."""

CLIENTS = {**SEEDS, "nulls": NULLS, "external": EXTERNAL, "compare": COMPARE}


def judge(url: str, template: str = "Grade the response.", **more: Any) -> Json:
    return {
        "model": "judge",
        "model_source": "external",
        "system_template": template,
        "external_api_token": "sk-MARKER",
        "external_base_url": url,
        **more,
    }


def model(url: str, template: str = "{{prompt}}", **more: Any) -> Json:
    return judge(url, "Be brief.", model="model", input_template=template, max_tokens=64, temperature=0.7) | more


def classify(judging: Json, file_id: str, evaluated: Any = "response", **more: Any) -> Json:
    given = {"labels": ["good", "bad"], "pass_labels": ["good"], "model_to_evaluate": evaluated}
    return _request("classify", judging, file_id, **(given | more))


def score(judging: Json, file_id: str, evaluated: Any = "response", **more: Any) -> Json:
    given = {"min_score": 1, "max_score": 10, "pass_threshold": 7, "model_to_evaluate": evaluated}
    return _request("score", judging, file_id, **(given | more))


def compare(judging: Json, file_id: str, a: Any = "response_a", b: Any = "response_b", **more: Any) -> Json:
    return _request("compare", judging, file_id, model_a=a, model_b=b, **more)


def _request(kind: str, judging: Json, file_id: str, **parameters: Any) -> Json:
    return {"type": kind, "parameters": {"judge": judging, "input_data_file_path": file_id, **parameters}}
