import json
from pathlib import Path

import pytest

from tasks.generate import generate_shard
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, model, rows, spec


def test_what_it_says_stands_in_the_job_s_log_and_where_the_run_is_watched(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    lab.carry_out(job)
    lines = [json.loads(line) for line in lab.workspace.folder(job.id).log_path.read_text().splitlines()]
    assert [line["message"] for line in lines] == lab.said
    assert lab.said == [
        "task 'qa': 2 rows, templates checked",
        "qa / target / correct / string-check: 1.000 [0.158, 1.000] · 2 of 2 scored · few_samples",
    ]
    assert {line["level"] for line in lines} == {"INFO"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_job_whose_log_cannot_be_written_does_not_fail(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    log = lab.workspace.folder(job.id).log_path
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    with lab.engaged(job) as engine:
        generate_shard(engine, engine.manifest.shards[0], final=True)
    assert engine.log.file.lost == len(lab.said) == 1
    assert lab.workspace.folder(job.id).is_finished("generate", engine.manifest.shards[0])
