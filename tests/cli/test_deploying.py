"""The files of deploy/ agree with themselves, the image and the settings; no cluster is here to apply them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.schemas.actions import WorkPoolCreate

from api.metrics import families
from core.job import utcnow
from core.settings import Settings
from store.db.measures import Measured

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((KUBERNETES / "assay.yaml").read_text()))
POOL = json.loads((KUBERNETES / "work-pool.json").read_text())
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
SETTINGS = {f"ASSAY_{name.upper()}" for name in Settings.model_fields}
USER = "10001"


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for each in OBJECTS:
        if each["kind"] == "Deployment":
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]
    yield "a job of the pool", POOL["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]


def named(kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in OBJECTS if each["kind"] == kind}


@pytest.mark.parametrize(("name", "pod"), list(pods()))
def test_a_pod_has_no_rights_and_writes_where_it_mounts_a_volume_alone(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert str(pod["securityContext"]["runAsUser"]) == USER
    assert not pod["automountServiceAccountToken"]
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert all("emptyDir" in each for each in volumes.values()), "what lasts is in the store and in Postgres"
    assert {each["configMapRef"]["name"] for each in container.get("envFrom", []) if "configMapRef" in each} <= named(
        "ConfigMap"
    )


def test_the_map_has_settings_of_ours_and_the_home_that_is_mounted() -> None:
    [given] = [each["data"] for each in OBJECTS if each["kind"] == "ConfigMap"]
    assert {name for name in given if name.startswith("ASSAY_")} <= SETTINGS
    assert given["ASSAY_HOME"] == "/data"
    assert given["ASSAY_STORE"].startswith("s3://")
    [prefect] = [each for each in OBJECTS if each["kind"] == "Service" and "4200" in str(each)]
    assert given["PREFECT_API_URL"] == f"http://{prefect['metadata']['name']}:4200/api"


def test_the_secret_that_the_page_makes_has_what_pods_and_settings_ask_for() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    made = set(re.findall(r"--from-literal=(\w+)=", page))
    asked = {
        each["valueFrom"]["secretKeyRef"]["key"]
        for _, pod in pods()
        for container in pod["containers"]
        for each in container.get("env", [])
        if "valueFrom" in each
    }
    assert asked <= made
    assert {name for name in made if name.startswith("ASSAY_")} <= SETTINGS


def test_services_lead_to_ports_and_probes_ask_for_them() -> None:
    ports = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]
        for each in OBJECTS
        if each["kind"] == "Deployment"
    }
    for service in (each for each in OBJECTS if each["kind"] == "Service"):
        container = ports[service["spec"]["selector"]["app"]]
        assert service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"]
    paths = {
        probe["httpGet"]["path"]
        for each in ports.values()
        for kind, probe in each.items()
        if kind.endswith("Probe") and "httpGet" in probe
    }
    assert paths == {"/health", "/api/health"}


def test_prefect_takes_the_template_of_the_pool() -> None:
    assert WorkPoolCreate(name="k8s", type="kubernetes", base_job_template=POOL).base_job_template == POOL
    placeholders = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(POOL["job_configuration"])))
    assert placeholders == POOL["variables"]["properties"].keys()


def test_alerts_are_about_metrics_and_labels_that_there_are() -> None:
    there = {family.name for family in families(Measured({}, None, 0, 0, {}), ready=True, now=utcnow())}
    asked = {
        name.removesuffix("_total")
        for group in ALERTS["groups"]
        for rule in group["rules"]
        for name in re.findall(r"assay_\w+", rule["expr"])
    }
    assert asked <= there
    assert "assay_queue_age_seconds" in asked


def test_the_image_s_user_is_that_of_the_pods() -> None:
    assert f"USER {USER}" in (ROOT / "Dockerfile").read_text()
