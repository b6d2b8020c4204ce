from typing import Any

from cli.follow import Samples, samples_of, state_of


def job(status: str = "running", note: str | None = None, **tasks: tuple[int, int, int]) -> dict[str, Any]:
    progress = {
        task: {"generate": {"done": generated, "total": total}, "judge": {"done": judged, "total": total}}
        for task, (generated, judged, total) in tasks.items()
    }
    return {"status": status, "note": note, "progress": progress}


def test_a_sample_counts_once_when_it_has_passed_all_stages() -> None:
    assert samples_of(job(a=(7, 3, 10), b=(0, 0, 5))) == Samples(3, 15, 8, 4)
    assert samples_of(job()) == Samples(0, 0, 0, 0)


def test_it_is_said_what_waits_and_why() -> None:
    assert state_of(job(a=(7, 3, 10))) == "3 to generate, 4 to judge"
    assert state_of(job(a=(10, 10, 10))) == "running"
    assert state_of(job("created", "8 jobs run already")) == "created: 8 jobs run already"
    assert state_of(job("completed", a=(10, 10, 10))) == "completed"
