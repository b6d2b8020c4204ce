from pathlib import Path

import yaml
from prefect.flows import load_flow_from_entrypoint

from flows.deploy import DEFAULT_POOL, ENTRYPOINT, FORMS, form_name
from flows.evaluate import evaluate
from flows.form import JOB_SCHEMA, form_schema

YAML = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text())


def test_the_clone_deploys_what_the_service_deploys() -> None:
    assert YAML["pull"] == []
    assert len(YAML["deployments"]) == len(FORMS)
    for said, form in zip(YAML["deployments"], FORMS, strict=True):
        assert said["entrypoint"] == ENTRYPOINT
        assert said["work_pool"]["name"] == DEFAULT_POOL
        assert said["enforce_parameter_schema"]
        assert (said["name"], said["description"].strip()) == (form.name, form.description)
        assert (tuple(said["tags"]), said.get("parameters", {})) == (form.tags, form.parameters)
        crons = [{"cron": form.cron, "timezone": "UTC", "active": False}] if form.cron else None
        assert said.get("schedules") == crons
        limit = {"limit": form.concurrency_limit, "collision_strategy": "ENQUEUE"} if form.concurrency_limit else None
        assert said.get("concurrency_limit") == limit


def test_the_entrypoint_is_the_flow() -> None:
    assert load_flow_from_entrypoint(ENTRYPOINT) is evaluate
    assert {form.name for form in FORMS} == {"evaluation", "nightly"}


def test_parameters_of_deployments_are_fields_of_the_form() -> None:
    for form in FORMS:
        assert form.parameters.keys() <= form_schema(evaluate)["properties"].keys()
    assert JOB_SCHEMA["properties"].keys() == {"job_id", "block"}


def test_services_on_one_prefect_server_have_deployments_of_their_own() -> None:
    names = {form_name(form, pool) for form in FORMS for pool in (DEFAULT_POOL, "second")}
    assert names == {"evaluation", "nightly", "evaluation-second", "nightly-second"}
    assert len(names) == 2 * len(FORMS)
