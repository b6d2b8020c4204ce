import json
from typing import Any

import pytest

from tests.api.conftest import MAX_BODY
from tests.api.nugen.conftest import QUESTIONS, Nugen

BENCHMARK = "/api/v3/benchmark"
SPELLINGS = [BENCHMARK, "/api/v3/benchmarks"]
RETURNED = [question | {"image_url": None} for question in QUESTIONS]


def test_an_upload_is_answered_with_its_questions_in_both_spellings(nugen: Nugen) -> None:
    response = nugen.upload(name="sums", document_id="doc_1", description="of two")
    uploaded = response.json()
    assert response.status_code == 200
    assert uploaded["benchmark_id"].startswith("benchmark_")
    assert uploaded == {
        "id": uploaded["benchmark_id"],
        "benchmark_id": uploaded["id"],
        "name": "sums",
        "benchmark_name": "sums",
        "status": "READY",
        "num_questions": 5,
        "n_samples": 5,
        "questions": RETURNED,
    }
    data = nugen.http.get(f"{BENCHMARK}/{uploaded['id']}/data").json()
    made = data["created_at"]
    assert made.endswith("Z")
    assert data == uploaded | {
        "document_ids": ["doc_1"],
        "documents": ["doc_1"],
        "s3_key": None,
        "s3_url": None,
        "created_at": made,
        "updated_at": made,
        "source": "database",
        "metadata": {
            "type": "upload",
            "name": "sums",
            "description": "of two",
            "original_filename": "sums.json",
        },
        "error": None,
    }


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("end", ["", "/"])
def test_both_spellings_serve_every_route_without_redirects(nugen: Nugen, spelling: str, end: str) -> None:
    file = {"file": ("q.json", b'\xef\xbb\xbf[{"question": "q", "answer": "a"}]')}
    benchmark = nugen.http.post(f"{spelling}/upload{end}", files=file).json()["id"]
    status = nugen.http.get(f"{spelling}/{benchmark}/status{end}").json()
    assert status == nugen.http.get(f"{BENCHMARK}/status/{benchmark}{end}").json()
    assert (status["benchmark_name"], status["status"]) == ("q", "READY")
    assert status["end_time"] == status["start_time"]
    newest = nugen.http.get(f"{spelling}/list{end}").json()["benchmarks"][0]
    assert (newest["id"], newest["num_questions"], newest["documents"]) == (benchmark, 1, [])
    assert "questions" not in newest
    assert nugen.http.get(f"{spelling}/{benchmark}/data{end}").json()["questions"][0]["answer"] == "a"
    deleted = nugen.http.delete(f"{spelling}/{benchmark}{end}")
    message = "Benchmark successfully deleted"
    assert deleted.json() == {"id": benchmark, "benchmark_id": benchmark, "message": message}
    gone = [nugen.http.get(f"{spelling}/{benchmark}/{what}{end}") for what in ("data", "status")] + [
        nugen.http.delete(f"{spelling}/{benchmark}{end}")
    ]
    assert [(answer.status_code, answer.json()) for answer in gone] == [(404, {"detail": "Benchmark not found"})] * 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"question": "q", "answer": "a"},\n {"question" "q"}]', "line 2 column"),
        (b'[{"question": "q", "answer": "\xff"}]', "not JSON"),
        (b"", "not JSON"),
        (b"[]", "at least one object"),
        (b'{"question": "q", "answer": "a"}', "JSON array"),
        (b'[{"question": "q", "answer": "a"}, {"question": "q"}]', "Element 2 of the file, 'answer': Field required"),
        (b'[{"question": " ", "answer": "a"}]', "Element 1 of the file, 'question'"),
        (b'[{"question": "q", "answer": 4}]', "Element 1 of the file, 'answer'"),
        (b'["q"]', "Element 1 of the file"),
        (b"[{" + b",".join(b'"k%d": 1' % n for n in range(10_001)) + b"}]", "10,001 fields, of at most 10,000"),
        (b'[{"question": "q", "answer": "a", "image_url": "http://x/i.png"}]', "'image_url': Value error, 'http://x"),
        (b'[{"question": "q", "answer": "a", "deep": ' + b"[" * 200 + b"]" * 200 + b"}]", "nested deeper"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_its_place_and_leaves_nothing(
    nugen: Nugen, content: bytes, said: str
) -> None:
    before = nugen.http.get(f"{BENCHMARK}/list").json()
    answer = nugen.upload(content)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert nugen.http.get(f"{BENCHMARK}/list").json() == before


def test_a_request_without_a_file_is_told_so(nugen: Nugen) -> None:
    for request in ({"data": {"name": "n"}}, {"json": QUESTIONS}, {"files": {"other": b"[]"}}):
        answer = nugen.http.post(f"{BENCHMARK}/upload", **request)
        assert answer.status_code == 422, request
        assert answer.json()["detail"][0]["loc"] == ["body", "file"]


def test_a_file_that_is_too_large_is_refused_by_its_size(nugen: Nugen) -> None:
    answer = nugen.upload([{"question": "q", "answer": "a" * MAX_BODY}])
    assert (answer.status_code, list(answer.json())) == (413, ["detail"])


def test_what_an_author_says_beyond_the_question_is_kept_and_questions_may_be_alike(nugen: Nugen) -> None:
    question: dict[str, Any] = {"question": "Was ist 2 + 2? {{ x }}\u0000", "answer": "4", "topic": ["sums"]}
    kept = nugen.upload([question, question]).json()["questions"]
    assert kept == [question | {"question_num": None, "image_url": None}] * 2
    first, second = (nugen.upload([question]).json()["id"] for _ in range(2))
    assert first != second
    assert nugen.state.benchmarks.get(first).sha256 == nugen.state.benchmarks.get(second).sha256


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_benchmarks_are_not_made_from_documents_yet(nugen: Nugen, spelling: str) -> None:
    answer = nugen.http.post(f"{spelling}/create", content=json.dumps({"documents": ["doc_1"], "num_questions": 5}))
    assert (answer.status_code, list(answer.json())) == (501, ["detail"])
    assert "upload" in answer.json()["detail"]
