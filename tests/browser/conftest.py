"""The pages in a real browser, Debian's Chromium, over a night's jobs; skipped where there is none."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from api.http.state import State
from core.settings import Settings
from store.workspace import Workspace
from tests.api.conftest import running
from tests.conftest import until
from tests.web.night import Night, make_night

T = TypeVar("T")

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text()
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)
MISSING = "/jobs/nothing - Failed to load resource"
"""What the console says of a page that says that there is no such job."""

PICTURES = os.environ.get("ASSAY_PICTURES")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Browser:
    """A browser on a service: what its pages say, and all that it has asked for."""

    driver: Any
    url: str
    asked: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    @property
    def path(self) -> str:
        parts = urlsplit(self.driver.current_url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def text(self) -> str:
        """What can be read on the page."""
        return str(self.driver.execute_script("return document.body.innerText"))

    def texts(self, css: str) -> list[str]:
        """Return what can be read in each such element, of one moment."""
        found = self.run("return [...document.querySelectorAll(arguments[0])].map(each => each.innerText.trim())", css)
        return [str(each) for each in found]

    def count(self, css: str) -> int:
        return int(self.run("return document.querySelectorAll(arguments[0]).length", css))

    def value(self, css: str, name: str) -> Any:
        """Return a property of the first such element."""
        return self.run("return document.querySelector(arguments[0])[arguments[1]]", css, name)

    def click(self, css: str, nth: int = 0) -> None:
        """Click on one of such elements; nothing is loaded by it."""
        self.until(f"{css!r} to be clicked on", lambda: self._click("css selector", css, nth))

    def type(self, css: str, text: str) -> None:
        """Write into a field, or press keys in it."""

        def typed() -> bool:
            self.driver.find_element("css selector", css).send_keys(text)
            return True

        self.until(f"{text!r} to be typed into {css!r}", typed)

    def send(self, css: str) -> None:
        """Click on what leads to another page, and wait for that."""
        self._lead(lambda: self._click("css selector", css, 0), css)

    def follow(self, text: str) -> None:
        """Click on a link, and wait for the page that it leads to."""
        self._lead(lambda: self._click("link text", text, 0), text)

    def press(self, key: str) -> None:
        """Press a key that leads to another page, and wait for that."""

        def pressed() -> bool:
            self.driver.find_element("css selector", "body").send_keys(key)
            return True

        self._lead(pressed, key)

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def until(self, what: str, check: Callable[[], T | None]) -> T:
        """Wait for something of the page, which may be in the midst of a change."""
        from selenium.common.exceptions import WebDriverException

        def checked() -> T | None:
            try:
                return check()
            except (WebDriverException, IndexError):  # of a page that is not all there yet
                return None

        return until(what, checked)

    def see(self, *texts: str) -> None:
        """Wait until all of that can be read on the page."""
        self.until(f"{texts!r} to be read", lambda: all(text in self.text for text in texts))

    def hold(self) -> None:
        """Have the page ask for nothing more, as one that nobody sees, and wait for what it has asked for."""
        self.run("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        self.until("the page's last request", lambda: self.count(".htmx-request") == 0)

    def _click(self, by: str, what: str, nth: int) -> bool:
        self.driver.find_elements(by, what)[nth].click()
        return True

    def _lead(self, does: Callable[[], bool], what: str) -> None:
        """Do once what leads to another page, and wait until that is loaded.

        What failed is done again only while the old page is there: the next one may well have such a link too.
        """
        before = self._document()
        self.until(f"{what!r} to lead on", lambda: self._document() != before or does())
        self.until(f"what {what!r} leads to", lambda: self._document() not in (None, before))

    def _document(self) -> float | None:
        """Return what tells the page that is loaded from all others; None while one is loading."""
        found = self.run("return document.readyState === 'complete' ? performance.timeOrigin : null")
        return None if found is None else float(found)

    def dark(self, is_dark: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def width(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def violations(self) -> list[str]:
        """Return what axe finds that is serious, on a page that stays as it is meanwhile."""
        self.hold()
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE})  # as the page's own policy forbids
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations))"
        )
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found
            for node in each["nodes"]
            if each["impact"] in ("serious", "critical")
        ]

    def complaints(self) -> list[str]:
        """Return what the console has said since it was last asked."""
        return [each["message"] for each in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return all addresses that were asked for since this was last asked."""
        logged = (json.loads(each["message"])["message"] for each in self.driver.get_log("performance"))
        return [each["params"]["request"]["url"] for each in logged if each["method"] == "Network.requestWillBeSent"]

    def picture(self, name: str, *, height: int | None = None) -> None:
        """Take a picture of the page for docs/, where that is asked for."""
        if PICTURES:
            whole = min(int(self.run("return document.documentElement.scrollHeight")), height or 1200)
            self.width(1180, whole)
            folder = Path(PICTURES)
            folder.mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(folder / f"{name}.png"))
            self.width(1180)


@contextmanager
def chromium() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="there is no Selenium: the extra `attack`")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("there is no `chromium` with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    browser.set_script_timeout(60)
    try:
        yield browser
    finally:
        browser.quit()


@contextmanager
def open_site(home: Path, **settings: Any) -> Iterator[tuple[State, str]]:
    workspace = Workspace.open(Settings(home=home, **settings), migrating=True)
    state = State.over(workspace, wake=lambda: None, ready=lambda: True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with running(state, listening):
            yield state, url
    workspace.close()


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="session")
def served_night(tmp_path_factory: pytest.TempPathFactory, driver: Any) -> Iterator[tuple[State, str, Night]]:
    with open_site(tmp_path_factory.mktemp("home")) as (state, url):
        yield state, url, make_night(state)


@pytest.fixture
def browser(driver: Any, served_night: tuple[State, str, Night]) -> Iterator[Browser]:
    """The browser on the night's jobs; in the end nothing was complained of, and nobody else was asked."""
    _, url, _ = served_night
    browser = Browser(driver, url)
    driver.get("about:blank")  # the last test's page asks for news as long as it is open
    browser.dark(False)
    browser.width(1180)
    browser.complaints()
    browser.requests()
    yield browser
    elsewhere = {each for each in browser.requests() if not each.startswith((url, "data:", "chrome:", "about:"))}
    assert elsewhere == set()
    assert [each for each in browser.complaints() if MISSING not in each] == []


@pytest.fixture(scope="session")
def state(served_night: tuple[State, str, Night]) -> State:
    return served_night[0]


@pytest.fixture(scope="session")
def jobs(served_night: tuple[State, str, Night]) -> Night:
    return served_night[2]


@pytest.fixture
def locked(driver: Any, tmp_path: Path) -> Iterator[Browser]:
    with open_site(tmp_path, api_keys=(SecretStr("a-key-0123456789"),)) as (_, url):
        yield Browser(driver, url)
