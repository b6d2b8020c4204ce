"""The long forms of the suite: what the seeds count adds up, and what failed is run again."""

import json
from pathlib import Path

from bench.long import FORMS, Ran, read_ledger, report

SIZES = {"ASSAY_CASES": 20}


def note(seed: int, failure: str | None = None, cases: int = 20, **counts: int) -> str:
    ran = {"name": "any", "seconds": 2.5, "counts": {k: str(v) for k, v in counts.items()}, "failure": failure}
    return json.dumps({"seed": seed, "sizes": {"ASSAY_CASES": cases}, "ran": [ran]}) + "\n"


def test_of_a_seed_that_was_run_again_the_last_run_counts_and_other_sizes_do_not(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    assert read_ledger(ledger, SIZES) == {}
    ledger.write_text(note(1, "HTTP 500", requests=5) + note(2, requests=7) + note(1, requests=6) + note(3, cases=9))
    done = read_ledger(ledger, SIZES)
    assert {seed: (ran[0].counts, ran[0].failure) for seed, ran in done.items()} == {
        1: ({"requests": "6"}, None),
        2: ({"requests": "7"}, None),
    }


def test_counts_of_all_seeds_are_added_but_for_what_each_counts_alike() -> None:
    done = {
        1: [Ran("any", 2.4, {"operations": "121", "requests": "10", "answers 200": "10"}, None)],
        2: [Ran("any", 2.2, {"operations": "121", "requests": "5", "answers 200": "4", "answers 404": "1"}, None)],
    }
    text = report(FORMS["http"], SIZES, done)
    assert "| any | 121 operations; 15 requests; 14 answers 200; 1 answers 404 | 5 |" in text
    assert "ASSAY_CASES=20, seeds 1, 2." in text
    assert "Nothing failed." in text


def test_a_failure_of_any_seed_and_a_seed_that_could_not_be_run_are_told() -> None:
    text = report(FORMS["http"], SIZES, {1: [Ran("any", 1.0, {}, "POST /v1/x: HTTP 500")], 2: []})
    assert "- FAILED: any: POST /v1/x: HTTP 500" in text
    assert "- FAILED: the tests could not be run" in text
