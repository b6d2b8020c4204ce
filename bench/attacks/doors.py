"""Prefect's server: who has not signed in does nothing there, and no run reads what it may not."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from bench.attacks.jobs import JOBS
from bench.attacks.site import Site, Try

OPEN: Final = frozenset({"/api/health", "/api/ready"})
"""What Prefect answers to all."""

ZERO: Final = "00000000-0000-0000-0000-000000000000"
WITHIN_S: Final = 60.0
_ENDS: Final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

_SIGN_INS: Final = (
    *("", "Basic", "Basic ", "Basic Og==", "Basic YXNzYXk6", "Basic YXNzYXk6YXNzYXk=", "Bearer ", "Bearer assay"),
    *("Basic YWRtaW46cGFzcw==", "basic YXNzYXk6", "Basic " + "A" * 5_000, "Basic \xff", "Digest x", "Bearer null"),
)
_DEVICES: Final = (
    *("/dev/zero", "/dev/stdin", "/dev/tty", "/proc/self/environ", "/proc/self/mem", "/etc/passwd", "/etc"),
    *("../../../../etc/passwd", "a\u0000b", ""),
)
_MARK: Final = "SECRET-OF-THE-MACHINE"


def attack(site: Site) -> Iterator[Try]:
    """Ask each route without signing in, some with wrong sign-ins, and start runs with parameters that ask too much."""
    with site.prefect(auth=site.sign_in) as signed, site.prefect() as stranger:
        described = signed.get(site.prefect_url.removesuffix("/api") + "/openapi.json").raise_for_status().json()
        routes = [(method, path) for path, methods in described["paths"].items() for method in methods]
        for method, path in site.some(routes):
            yield _asked(stranger, method, _filled(path))
        for sign_in in site.some(_SIGN_INS):
            header = {"authorization": sign_in}
            yield _asked(stranger, "post", "/api/deployments/filter", header, f"signed in as {sign_in[:30]!r}")
        for host in site.some(("evil.example", "evil.example:4200", "localhost.evil.example", "127.0.0.1.nip.io")):
            yield _asked(signed, "post", "/api/deployments/filter", {"host": host}, f"under the name {host}")
        for name, parameters in site.some(list(_runs(site))):
            yield _started(site, signed, name, parameters)


def _filled(path: str) -> str:
    """Return a route's path with something in the place of its parameters."""
    begin, *parts = path.split("{")
    return begin + "".join(ZERO + part.partition("}")[2] for part in parts)


def _asked(http: httpx.Client, method: str, path: str, headers: dict[str, str] | None = None, name: str = "") -> Try:
    """Ask for what only one who is signed in, under a name of the server, may have."""
    given = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    given.append((b"content-type", b"application/json"))
    content = b"{}" if method in ("post", "put", "patch") else b""
    url = str(http.base_url).rstrip("/").removesuffix("/api") + path
    try:
        answer = http.request(method.upper(), url, headers=given, content=content)
    except (httpx.InvalidURL, httpx.LocalProtocolError):
        return Try(name or f"{method} {path}")
    has_api = path.startswith("/api") and path not in OPEN
    said = f"it was answered {answer.status_code}: {answer.text[:100]}"
    return Try(name or f"{method} {path}", said if has_api and answer.status_code not in (401, 403) else None)


def _runs(site: Site) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the parameters of runs, by what they want."""
    for path in (*_DEVICES, *_traps(site)):
        yield str(path), {"spec_file": str(path)}
    target = {"kind": "model", "endpoint": {"model": "m", "url": f"http://127.0.0.1:{site.canary.port}"}}
    spec = {"targets": [{**target, "api_key": "env:HF_TOKEN"}], "tasks": [{"name": "qa", "dataset": {"kind": "rows"}}]}
    yield "a specification", {"spec": spec}
    yield "a specification in text", {"spec": "env:ASSAY_API_KEYS"}
    yield "a name of too much", {"name": "x" * 100_000}
    yield "a target elsewhere", {"target": "../../etc/passwd", "config": "demo/qa"}
    yield "a URL with a key", {"project": "http://user:key@host/"}
    yield "another job's id", {"job_id": "job-0000000000000000000000"}
    yield "too many samples", {"limit_samples": 10**30, "parallelism": 10**9}


def _traps(site: Site) -> Iterator[Path]:
    """Yield files that are no specifications, or not to be read: outside the folder, or in it and leading out."""
    specs, outside = site.home / "specs", site.home.parent
    specs.mkdir(exist_ok=True)
    secret = outside / "secret.yaml"
    secret.write_text(f"targets: {_MARK}\n")
    yield from (secret, site.home / "prefect" / "sign-in", specs / ".." / "prefect" / "sign-in")
    for name, leads in {"link.yaml": secret, "etc": Path("/etc")}.items():
        (specs / name).unlink(missing_ok=True)
        (specs / name).symlink_to(leads)
    yield from (specs / "link.yaml", specs / "etc" / "passwd")
    (specs / "pipe.yaml").unlink(missing_ok=True)
    os.mkfifo(specs / "pipe.yaml")
    yield specs / "pipe.yaml"
    for name, content in _contents(outside / "made").items():
        (specs / f"{name}.yaml").write_text(content)
        yield specs / f"{name}.yaml"


def _contents(made: Path) -> dict[str, str]:
    """Return what stands in files of the folder; one would make a file."""
    key = 'targets: [{kind: model, endpoint: {model: m, url: "http://127.0.0.1:1", api_key: "env:KEY"}}]\n'
    keyed = key + "tasks: [{name: qa, dataset: {kind: rows, rows: [{a: 1}]}}]\n"
    names = ("HF_TOKEN", "HOME", "PREFECT_API_AUTH_STRING", "ASSAY_API_KEYS")
    return {
        **{f"names {name}": keyed.replace("KEY", name) for name in names},
        "long": f"targets: [{'a,' * 6_000_000}]",
        "bomb": "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, 12)),
        "itself": "&a [*a, *a]\n",
        "object": f"!!python/object/apply:os.system ['touch {made}']\n",
        "deep": "[" * 100_000,
    }


def _started(site: Site, signed: httpx.Client, name: str, parameters: dict[str, Any]) -> Try:
    """Start a run as one who goes around the form; tell whether it did what it may not."""
    deployment = signed.get("/deployments/name/evaluate/evaluation").raise_for_status().json()["id"]
    asked = {"parameters": parameters, "enforce_parameter_schema": False}
    answer = signed.post(f"/deployments/{deployment}/create_flow_run", json=asked)
    if not answer.is_success:
        return Try(name)
    run_id, deadline = answer.json()["id"], time.monotonic() + WITHIN_S
    while (run := signed.get(f"/flow_runs/{run_id}").json())["state"]["type"] not in _ENDS:
        if time.monotonic() > deadline:
            return Try(name, f"its run had not ended after {WITHIN_S:.0f} s")
        time.sleep(0.1)
    job = site.http.get(f"{JOBS}/{run['name']}")
    told = job.text + str(run["state"].get("message"))
    visits, site.canary.visits = site.canary.visits, []
    if _MARK in told or "root:" in told or visits or (site.home.parent / "made").exists():
        return Try(name, f"it read what it may not: {told[:200]}")
    completed = run["state"]["type"] == "COMPLETED" or (job.is_success and job.json()["status"] == "completed")
    return Try(name, "it was carried out" if completed else None)
