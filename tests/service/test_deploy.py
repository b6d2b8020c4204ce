"""Deploying from a clone, onto a service that runs."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import until
from tests.service.prefect_api import Prefect, job_of, store_pair

ROOT = Path(__file__).parents[2]


def is_closed(prefect: Prefect, deployment: str) -> bool:
    return "additionalProperties" in prefect.deployment(deployment)["parameter_openapi_schema"]


@pytest.mark.slow
def test_a_clone_is_deployed_and_its_forms_are_closed(served, endpoint):
    prefect = Prefect(served)
    environment = os.environ | served.prefect_client | {"PREFECT_HOME": str(served.home / "clone")}
    for arguments in (["-m", "flows.deploy"], ["-m", "prefect", "--no-prompt", "deploy", "--all"]):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for name in ("evaluation", "nightly"):
        until(f"the form of {name} to be closed", partial(is_closed, prefect, name))
        deployed = prefect.deployment(name)
        assert (deployed["entrypoint"], deployed["pull_steps"]) == ("flows.evaluate.evaluate", [])
        assert deployed["enforce_parameter_schema"]
    assert "not allowed" in prefect.refusal("evaluation", api_key="x")
    run_id = prefect.start("evaluation", **store_pair(served, endpoint, "cloned", 2))
    assert served.wait(job_of(served, run_id)).status == "completed"
