"""What all pages have in common."""

import re
from http import HTTPStatus
from pathlib import Path

import pytest

import web
from web.errors import error_page
from web.render import HEADERS

ROOT = Path(web.__file__).parent
PAGES_OF_JOBS = [f"/jobs/one{rest}" for rest in ("", "/progress", "/samples", "/samples/qa/0")] + ["/judges/one"]


def test_every_page_loads_from_here_alone_and_stands_in_no_frame(site):
    answer = site.http.get("/")
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("template", sorted(ROOT.glob("templates/**/*.html")), ids=lambda path: path.name)
def test_no_template_has_script_or_style_in_it(template):
    text = template.read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|hx-on|javascript:|\|\s*safe", text)
    assert all("src=" in each for each in re.findall(r"<script[^>]*>", text))
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text)


def test_files_of_others_are_as_their_list_says():
    import hashlib

    vendored = ROOT / "static" / "vendor"
    rows = re.findall(r"^\| `([^`]+)` .*\| ([0-9a-f]{64}) \|$", (vendored / "README.md").read_text(), re.M)
    assert {name for name, _ in rows} == {path.name for path in vendored.iterdir() if path.suffix in (".js", ".css")}
    for name, digest in rows:
        assert hashlib.sha256((vendored / name).read_bytes()).hexdigest() == digest


def test_a_person_is_told_in_a_page_what_went_wrong(site):
    assert "No page has this address." in site.get("/nowhere", 404)
    assert "<h1>Not found</h1>" in site.get("/jobs/nothing", 404)
    assert "To the jobs" in site.get("/jobs/nothing", 404)
    assert "cannot filter by &#39;colour&#39;" in site.get("/?filter[colour]=red", 422)
    assert "<h1>No page takes this</h1>" in site.http.delete("/sql", headers={"accept": "text/html"}).text
    assert site.http.get("/nowhere").json() == {"detail": "Not Found"}
    of_api = site.http.get("/api/assay/v1/jobs/nothing", headers={"accept": "text/html"})
    assert of_api.json().keys() == {"detail"}


@pytest.mark.parametrize("path", [*PAGES_OF_JOBS, "/", "/compare", "/trends", "/sql", "/docs", "/login"])
@pytest.mark.parametrize("asked", ["colour=red", "limit=5"])
def test_what_a_page_cannot_be_asked_is_refused_by_name(site, path, asked):
    name = asked.partition("=")[0]
    page = site.get(f"{path}?a=x&{asked}" if path == "/compare" else f"{path}?{asked}", 422)
    assert "<h1>This cannot be done as asked</h1>" in page
    assert f"{name}: " in page


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/?cursor=xx", "cursor: this page takes before, passed, pick, filter[FIELD], search[FIELD], and not that"),
        ("/?limit=5", "limit: this page takes"),
        ("/?slice=item.topic", "slice: this page takes"),
        ("/?sort=name", "sort: this page takes"),
        ("/?before=yesterday", "before: Input should be a valid datetime"),
        ("/jobs/one?cursor=xx", "cursor: this page takes slice, and not that"),
        ("/judges/one?limit=1", "limit: this page takes no parameter, and not that"),
        ("/trends?slice=item.topic", "slice: this page takes name, and not that"),
        ("/jobs/one/samples/qa/0?column=output", "column: this page takes sort, view, filter[FIELD], search[FIELD]"),
    ],
)
def test_what_a_list_does_not_know_is_not_ignored(site, path, says):
    assert says in site.get(path, 422)


def test_a_job_that_is_not_there_cannot_be_picked(site):
    assert "no job has the id or the name" in site.get("/?pick=nothing", 404)


@pytest.mark.parametrize("status", [each for each in HTTPStatus if each >= 400])
def test_no_error_is_headed_by_a_phrase_of_http(site, status):
    scope = {"type": "http", "path": "/jobs/one/samples", "headers": [], "app": site.http.app, "query_string": b""}
    shown = bytes(error_page(scope, status, status.phrase, None).body).decode()
    heading = re.findall(r"<h1>(.*)</h1>", shown)[0]
    assert heading != status.phrase
    assert (status == 404) == ("To the job<" not in shown)


def test_a_page_of_another_name_or_site_is_refused(site):
    answer = site.http.get("/", headers={"host": "evil.example"})
    assert (answer.status_code, "<h1>Not allowed</h1>" in answer.text) == (403, True)
    answer = site.http.post("/logout", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_the_api_has_its_page_with_all_it_loads(site):
    page = site.get("/docs")
    for path in re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|svg))"', page):
        assert site.http.get(path).status_code == 200, path
    assert site.http.get("/docs/passwd").status_code == 422
