import re
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.http.sessions import COOKIE, Sessions
from api.http.wrong_keys import FREE, WrongKeys
from tests.web.conftest import KEY


@pytest.fixture(scope="module")
def locked(make_site):
    return make_site(key=KEY)


@pytest.fixture(autouse=True)
def _signed_out(locked):
    locked.http.cookies.clear()


def sign_in(locked, key: str = KEY, **form: str):
    return locked.http.post("/login", data={"key": key, **form})


def test_a_page_leads_to_the_login_and_back(locked):
    answer = locked.http.get("/?filter[status]=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2F%3Ffilter%5Bstatus%5D%3Dfailed")
    assert 'value="/?filter[status]=failed"' in locked.get(answer.headers["location"])
    answer = sign_in(locked, next="/?filter[status]=failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?filter[status]=failed")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert "<h1>Jobs</h1>" in locked.get("/")


def test_the_cookie_goes_over_https_alone_where_the_service_is_published_so(make_site):
    site = make_site(key=KEY)
    published = replace(site.state, settings=site.state.settings.model_copy(update={"public_url": "https://e.example"}))
    with TestClient(create_app(published), "http://127.0.0.1", follow_redirects=False) as http:
        assert "secure" in http.post("/login", data={"key": KEY}).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "path",
    ["/docs", "/docs/swagger-ui-bundle.js", "/sql", "/sql?q=SELECT+1&format=csv", "/metrics", "/jobs/none/report"],
)
def test_what_has_no_key_of_its_own_is_closed_without_a_session(locked, path):
    assert locked.http.get(path).status_code in (303, 401)
    sign_in(locked)
    assert locked.http.get(path).status_code in (200, 404)


def test_a_part_of_a_page_leads_the_whole_page_to_the_login(locked):
    answer = locked.http.get("/", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login?next=%2F")


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example/", "/\\evil.example", "evil", "/a\nb"])
def test_the_login_leads_to_no_other_site(locked, path):
    assert sign_in(locked, next=path).headers["location"] == "/"


def test_what_is_no_key_is_refused_in_words(locked):
    answer = sign_in(locked, "another")
    assert answer.status_code == 401
    assert "no key of the service" in answer.text
    assert COOKIE not in answer.cookies


def test_a_session_reads_the_api_and_its_page_and_changes_nothing_there(locked):
    assert locked.http.get("/openapi.json").status_code == 401
    sign_in(locked)
    assert locked.http.get("/openapi.json").status_code == 200
    assert "swagger-ui-bundle.js" in locked.get("/docs")
    assert locked.http.post("/api/assay/v1/jobs", json={}).status_code == 401
    assert locked.http.delete("/api/assay/v1/jobs/job-1").status_code == 401


def test_a_form_needs_the_token_of_its_session(locked):
    sign_in(locked)
    assert locked.http.post("/logout", data={"token": "another"}).status_code == 403
    assert locked.http.post("/logout").status_code == 403
    (token,) = re.findall(r'action="/logout"><input type="hidden" name="token" value="([0-9a-f]+)"', locked.get("/"))
    assert locked.http.post("/logout", data={"token": token}).status_code == 303
    assert locked.http.get("/").status_code == 303


def test_a_copied_cookie_opens_nothing_once_its_session_was_ended(locked):
    sign_in(locked)
    copied = locked.http.cookies[COOKIE]
    (token,) = re.findall(r'action="/logout"><input type="hidden" name="token" value="([0-9a-f]+)"', locked.get("/"))
    locked.http.post("/logout", data={"token": token})
    locked.http.cookies.set(COOKIE, copied)
    assert locked.http.get("/").headers["location"] == "/login?next=%2F"
    assert locked.http.get("/openapi.json").status_code == 401
    locked.http.cookies.clear()
    sign_in(locked)
    assert locked.http.get("/").status_code == 200


def test_after_a_few_wrong_keys_not_even_the_right_one_is_looked_at_for_a_while(make_site):
    site = make_site(key=KEY)
    vars(site.state)["wrong_keys"] = WrongKeys(clock=lambda: 0.0)  # however long a request takes
    for _ in range(FREE + 1):
        assert sign_in(site, "another").status_code == 401
    answer = sign_in(site)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "try again in 1 s" in answer.text


def test_an_address_waits_ever_longer_and_no_other_does():
    now = 0.0
    wrong = WrongKeys(clock=lambda: now)
    for _ in range(FREE):
        wrong.add("a")
    assert wrong.wait_s("a") == 0
    waits = []
    for _ in range(8):
        wrong.add("a")
        waits.append(wrong.wait_s("a"))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert wrong.wait_s("b") == 0
    now = 59.0
    assert wrong.wait_s("a") == 1
    now = 900.0
    assert wrong.wait_s("a") == 0


def test_static_files_and_the_login_are_for_all(locked):
    assert locked.http.get("/static/assay.css").status_code == 200
    assert locked.http.get("/login").status_code == 200


def test_without_keys_there_is_nothing_to_sign_in_to(site):
    assert site.http.get("/login?next=/jobs/1").headers["location"] == "/jobs/1"
    assert "Sign out" not in site.get("/")


def test_a_session_ends_with_its_key_and_its_time():
    def sign(data: bytes) -> str:
        return f"{hash(data):x}"

    def scope(cookie: str):
        return {"headers": [(b"cookie", f"{COOKIE}={cookie}".encode())]}

    cookie = Sessions([KEY], sign, ()).begin(KEY)
    assert cookie is not None
    assert Sessions(["b", KEY], sign, ()).of(scope(cookie)) == cookie
    assert Sessions(["b"], sign, ()).of(scope(cookie)) is None
    assert Sessions([KEY], lambda data: sign(data + b"!"), ()).of(scope(cookie)) is None
    assert Sessions([KEY], sign, {Sessions.named(cookie)[0]}).of(scope(cookie)) is None
    _, nonce, signature = cookie.split(".")
    for other in (f"1.{nonce}.{signature}", f"9{cookie}", f"{cookie}0", "", "..", "x.y.z", "²." + nonce):
        assert Sessions([KEY], sign, ()).of({"headers": [(b"cookie", f"{COOKIE}={other}".encode("latin-1"))]}) is None


def test_a_header_of_a_proxy_is_no_token_of_a_form(locked):
    sign_in(locked)
    assert locked.http.post("/logout", headers={"authorization": "Basic YTpi"}).status_code == 403
    locked.http.cookies.clear()
    assert locked.http.post("/jobs/none/pause", headers={"authorization": f"Bearer {KEY}"}).status_code == 404


@pytest.mark.parametrize("text", ["é", "\\ud800", "\x00"])
def test_a_key_or_token_of_any_text_is_refused(locked, text):
    def sent(field: str) -> dict[str, Any]:
        head = f'--b\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'
        kind = "multipart/form-data; boundary=b; charset=unicode_escape"
        return {"content": f"{head}{text}\r\n--b--\r\n".encode(), "headers": {"content-type": kind}}

    assert locked.http.post("/login", **sent("key")).status_code == 401
    sign_in(locked)
    assert locked.http.post("/logout", **sent("token")).status_code == 403
