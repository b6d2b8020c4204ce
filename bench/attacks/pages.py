"""Pages of other sites, in a real browser, that try to read from both servers and to change something there.

The browser is Debian's `chromium`, driven by Selenium (the extra `attack`); without them nothing is tried, and said so.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from bench.attacks.jobs import JOBS
from bench.attacks.site import Site, Try
from bench.attacks.unlocked import open_server
from bench.victims import Service, free_port
from tests.tasks.specs import CORRECT, recorded, rows, spec

EVIL: Final = "evil.example"
"""A name that leads the browser to this machine, as DNS does that is bound anew."""

KEY: Final = "sk-attacked-0123456789"
REFUSALS: Final = ("Pages of other sites may not ask", "names another host", "Not authenticated", "Unauthorized")
TRIES: Final = Path(__file__).with_name("pages.js")
ARGUMENTS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"),
    "--disable-dev-shm-usage",
)


@dataclass(frozen=True)
class Goal:
    """A server that pages try to use: where, and what is kept there, by which a change shows."""

    name: str
    url: str
    paths: dict[str, str]
    kept: httpx.Client
    counted: tuple[tuple[str, str], ...]

    def state(self) -> str:
        """Return how much is kept."""
        answers = [self.kept.request(method, path).raise_for_status().json() for method, path in self.counted]
        return json.dumps([_size(answer) for answer in answers])

    def at(self, host: str) -> dict[str, str]:
        """Return what a page is told, by which name of the server."""
        base = f"http://{host}:{urlsplit(self.url).port}"
        given = {name: base + path for name, path in self.paths.items()}
        return given | {"listen": given["listen"].replace("http", "ws", 1), "body": _body(), "key": KEY}


def attack(site: Site) -> Iterator[Try]:
    """Have pages of several origins try all they can, at the API with and without keys, and at Prefect's server."""
    if not find_spec("selenium") or not (chromium := shutil.which("chromium")):
        site.notes.append("Cross-site: skipped, since there is no Selenium (the extra `attack`) or no `chromium`.")
        return
    with open_server() as port, _goals(site) as goals, _browser(chromium) as browser:
        browser.get(f"http://127.0.0.1:{port}/")
        names = browser.execute_async_script(TRIES.read_text(), "", {"body": "", "read": "", "write": ""})
        ways = [(goal, host, origin, name) for goal in goals for host, origin in _ways(goal, port) for name in names]
        with _unlocked(port) as goal:
            tried = [_tried(browser, goal, "127.0.0.1", f"http://localhost:{port}/", name) for name in site.some(names)]
        succeeded = sum(1 for each in tried if each.success)
        site.notes.append(f"Of {len(tried)} ways of pages {succeeded} succeed at a server without locks.")
        for goal, host, origin, name in site.some(ways):
            yield _tried(browser, goal, host, origin, name)


def _ways(goal: Goal, port: int) -> list[tuple[str, str]]:
    """Return by which name of a server which origins ask it; the last is a page whose name was bound anew."""
    return [
        ("127.0.0.1", f"http://localhost:{port}/"),
        ("localhost", f"http://{EVIL}:{port}/"),
        ("127.0.0.1", f"http://127.0.0.1:{port}/"),
        (EVIL, f"http://{EVIL}:{urlsplit(goal.url).port}/health"),
    ]


def _tried(browser: Any, goal: Goal, host: str, origin: str, name: str) -> Try:
    """Have a page of an origin do one thing."""
    full = f"{name} at {goal.name} as {host}, from {origin}"
    before = goal.state()
    browser.get(origin)
    read = browser.execute_async_script(TRIES.read_text(), name, goal.at(host)) or ""
    if goal.state() != before:
        return Try(full, "it changed what is kept")
    if read and not any(refusal in read for refusal in REFUSALS):
        return Try(full, f"it read: {read[:200]!r}")
    return Try(full)


@contextmanager
def _goals(site: Site) -> Iterator[list[Goal]]:
    """Yield the API without keys, one with keys, and Prefect's server."""
    home = site.home.parent / "keyed"
    home.mkdir(exist_ok=True)
    keyed = Service(home, free_port(), {"ASSAY_API_KEYS": KEY})
    headers = {"authorization": f"Bearer {KEY}"}
    try:
        with (
            httpx.Client(base_url=keyed.url, headers=headers, timeout=60, trust_env=False) as known,
            site.prefect(auth=site.sign_in) as prefect,
        ):
            yield [
                Goal("the API", site.url, _API, site.http, _KEPT),
                Goal("the API with keys", keyed.url, _API, known, _KEPT),
                Goal("Prefect's server", site.prefect_url, _PREFECT, prefect, _KEPT_BY_PREFECT),
            ]
    finally:
        keyed.stop()


@contextmanager
def _unlocked(port: int) -> Iterator[Goal]:
    """Yield a server that has no locks, to see that what pages try can succeed."""
    paths = {"read": "/read", "write": "/write", "upload": "/upload", "listen": "/listen"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        yield Goal("a server without locks", f"http://127.0.0.1:{port}", paths, http, (("GET", "/writes"),))


_API: Final = {"read": JOBS, "write": JOBS, "upload": "/v1/files", "listen": "/api/assay/v1/jobs"}
_KEPT: Final = (("GET", f"{JOBS}?page_size=100"), ("GET", "/v1/files"), ("GET", "/v1/evaluators"))
_PREFECT: Final = {
    "read": "/api/admin/settings",
    "write": "/api/flows/",
    "upload": "/api/variables/",
    "listen": "/api/events/in",
}
_KEPT_BY_PREFECT: Final = tuple(("POST", f"/{kind}/count") for kind in ("flows", "deployments", "variables"))


def _size(answer: Any) -> Any:
    """Return how much a list has."""
    kept = answer.get("data") if isinstance(answer, dict) else answer
    total = answer.get("total") if isinstance(answer, dict) else None
    return (total, len(kept)) if isinstance(kept, list) else answer


def _body() -> str:
    made = spec(recorded("answer"), rows(1), CORRECT).model_dump(mode="json", exclude_none=True)
    return json.dumps({"spec": made, "name": "crossed"})


@contextmanager
def _browser(chromium: str) -> Iterator[Any]:
    """Start a browser with a profile of its own, which the driver makes."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ARGUMENTS:
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    browser.set_script_timeout(60)
    try:
        yield browser
    finally:
        browser.quit()
