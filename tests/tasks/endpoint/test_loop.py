import asyncio
import gzip
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import orjson
import pytest

from core.result import Role, Usage
from tasks.endpoint.limits.ledger import Bounds
from tasks.endpoint.loop import IoLoop, JobLimit, Policy, Reply, Route, io_loop, route_url
from tasks.endpoint.route import MAX_ANSWER
from tests.conftest import WAIT_S
from tests.scripted import Answer, Received, Script, ScriptedEndpoint, by_default, failure, silence, text, trickle

KEY = "sk-scripted/0123456789"
SOON = {"retry-after-ms": "1"}


@pytest.fixture(scope="module")
def loop() -> Iterator[IoLoop]:
    loop = IoLoop(Policy(private=True))
    yield loop
    loop.close()


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as endpoint:
        yield endpoint


def question(content: str) -> bytes:
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}]})


def route_to(url: str, **how: Any) -> Route:
    defaults: dict[str, Any] = {"model": "m", "timeout_s": WAIT_S, "api_key": KEY}
    return Route(route_url(url, "chat/completions"), **defaults | how)


def ask(
    loop: IoLoop, to: ScriptedEndpoint | str, content: str = "ANSWER: 4", limit: JobLimit | None = None, **how: Any
) -> Reply:
    route = route_to(to if isinstance(to, str) else to.url, **how)
    return loop.run(loop.ask(route, question(content), limit=limit or JobLimit(1), role="target"))


def in_order(*answers: Answer) -> Script:
    """Give one answer after the other, then `ok`."""
    rest = iter(answers)
    return lambda _: next(rest, text("ok"))


async def arrival(endpoint: ScriptedEndpoint) -> None:
    """Wait until the next call has come and its answer is on the way."""
    arrived, here, script = asyncio.Event(), asyncio.get_running_loop(), endpoint.script

    def note(call: Received) -> Answer:
        endpoint.script = script
        here.call_soon_threadsafe(arrived.set)
        return script(call)

    endpoint.script = note
    await arrived.wait()


def said(reply: Reply) -> Any:
    assert reply.body is not None
    return orjson.loads(reply.body)["choices"][0]["message"]["content"]


def test_an_answer_comes_with_its_usage_and_times(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.latency_s = 0.02  # the loop counts milliseconds
    before = time.time()
    reply = ask(loop, endpoint)
    assert (reply.outcome, reply.status, reply.error, reply.attempts) == ("answered", 200, None, 1)
    assert said(reply) == "4"
    assert reply.usage == Usage(8, 2, 10)
    assert before <= reply.started_at <= time.time()
    assert reply.seconds > 0


def test_a_request_is_sent_as_given_with_key_and_name(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    reply = ask(loop, endpoint, "ünï ANSWER: 4")
    (call,) = endpoint.calls
    assert call["path"] == "/v1/chat/completions"
    assert call["raw"] == question("ünï ANSWER: 4")
    assert call["headers"]["authorization"] == f"Bearer {KEY}"
    assert call["headers"]["content-type"] == "application/json"
    assert call["headers"]["user-agent"].startswith("assay/")
    assert said(reply) == "4"


def test_connections_are_kept_and_cookies_are_not(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = lambda _: text("ok", headers={"set-cookie": "session=1"})
    for _ in range(3):
        ask(loop, endpoint)
    assert len(endpoint.open) == 1
    assert not any("cookie" in call["headers"] for call in endpoint.calls)


def test_a_packed_answer_is_unpacked(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    packed = gzip.compress(text("ok").body)
    endpoint.script = lambda _: Answer(packed, headers={"content-encoding": "gzip"})
    reply = ask(loop, endpoint)
    assert reply.outcome == "answered"
    assert said(reply) == "ok"


@pytest.mark.parametrize("form", ["milliseconds", "seconds", "date"])
def test_a_retry_after_holds_for_the_whole_endpoint(loop: IoLoop, endpoint: ScriptedEndpoint, form: str) -> None:
    date = math.ceil(time.time() + 0.3)
    headers = {
        "milliseconds": {"retry-after-ms": "300", "retry-after": "60"},
        "seconds": {"retry-after": "0.3"},
        "date": {"retry-after": formatdate(date, usegmt=True)},
    }[form]
    endpoint.script = in_order(failure(429, headers=headers))
    route = route_to(endpoint.url, bounds=Bounds(1))

    async def ask_all() -> list[Reply]:
        jobs = [JobLimit(1), JobLimit(1), JobLimit(1)]
        return await asyncio.gather(*(loop.ask(route, question("ok"), limit=job, role="target") for job in jobs))

    replies = loop.run(ask_all())
    first, *later = [call["time"] for call in endpoint.calls]
    end = date if form == "date" else first + 0.3
    assert [(reply.outcome, reply.attempts) for reply in replies] == [("answered", 2), ("answered", 1), ("answered", 1)]
    assert len(later) == 3
    assert all(end - 0.02 <= moment < first + 60 for moment in later)  # 0.02: of two clocks


def test_a_retry_after_of_one_model_does_not_hold_another(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = in_order(failure(429, headers={"retry-after": "60"}))
    assert ask(loop, endpoint, retry_window_s=1.0).outcome == "transient"
    assert ask(loop, endpoint, model="other").outcome == "answered"


def test_a_retry_after_beyond_the_window_ends_a_call_at_once(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = in_order(failure(429, "slow down", {"retry-after": "3600"}))
    first, second = (ask(loop, endpoint) for _ in range(2))
    assert (first.outcome, first.attempts, first.error) == ("transient", 1, "HTTP 429: slow down")
    assert (second.outcome, second.attempts) == ("transient", 0)
    assert "left alone" in (second.error or "")
    assert len(endpoint.calls) == 1


BROKEN = {
    "500": failure(500, headers=SOON),
    "503": failure(503, headers=SOON),
    "a 200 with an error": Answer(b'{"error": {"message": "overloaded"}}', headers=SOON),
    "a page": Answer(b"<html>login</html>", headers=SOON | {"content-type": "text/html"}),
    "no choices": Answer(b'{"choices": []}', headers=SOON),
    "half a JSON": Answer(text("ok").body[:20], headers=SOON),
    "a cut connection": text("ok", cut=150, end="close"),
    "a reset": text("ok", cut=150, end="reset"),
    "a closed connection": Answer(cut=0, end="close"),
    "no HTTP": Answer(raw=b"SSH-2.0-OpenSSH\r\n\r\n", end="close"),
    "no gzip": Answer(text("ok").body, headers=SOON | {"content-encoding": "gzip"}),
}


UNREADABLE = [BROKEN[name] for name in ("a 200 with an error", "a page", "no choices", "half a JSON")]
"""What may be read at the second try, or never."""


@pytest.mark.parametrize("broken", UNREADABLE)
def test_what_cannot_be_read_is_asked_for_twice(loop: IoLoop, endpoint: ScriptedEndpoint, broken: Answer) -> None:
    endpoint.script = lambda _: broken
    reply = ask(loop, endpoint)
    assert (reply.outcome, reply.attempts, len(endpoint.calls)) == ("error", 2, 2)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_may_pass_is_asked_again(loop: IoLoop, endpoint: ScriptedEndpoint, broken: Answer) -> None:
    endpoint.script = in_order(broken)
    reply = ask(loop, endpoint)
    assert (reply.outcome, reply.attempts, said(reply)) == ("answered", 2, "ok")
    assert len(endpoint.calls) == 2


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_does_not_pass_ends_with_its_reason(loop: IoLoop, endpoint: ScriptedEndpoint, broken: Answer) -> None:
    endpoint.script = lambda _: broken
    reply = ask(loop, endpoint, max_retries=0)
    assert (reply.outcome, reply.attempts) == ("error" if broken in UNREADABLE else "transient", 1)
    assert reply.error
    assert len(endpoint.calls) == 1


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_attempts_never_exceed_the_limit(loop: IoLoop, endpoint: ScriptedEndpoint, retries: int) -> None:
    endpoint.script = lambda _: failure(500, headers=SOON)
    reply = ask(loop, endpoint, max_retries=retries)
    assert (reply.outcome, reply.status) == ("transient", 500)
    assert reply.attempts == len(endpoint.calls) == retries + 1


def test_no_attempt_starts_after_the_window(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = in_order(failure(500, headers=SOON), failure(500, headers={"retry-after": "601"}))
    reply = ask(loop, endpoint, max_retries=100, retry_window_s=600.0)
    assert reply.outcome == "transient"
    assert reply.attempts == len(endpoint.calls) == 2


def test_a_backoff_beyond_the_window_is_not_begun(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = lambda _: failure(500)
    reply = ask(loop, endpoint, max_retries=100, retry_window_s=0.0)
    assert (reply.outcome, reply.status, reply.attempts) == ("transient", 500, 1)


def test_a_retry_whose_window_closed_in_the_queue_is_not_made(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = in_order(failure(500, headers={"retry-after-ms": "20"}), text("ok", delay_s=0.3))
    first, second = route_to(endpoint.url, retry_window_s=0.15), route_to(endpoint.url, model="other")

    async def ask_both() -> list[Reply]:
        limit = JobLimit(1)
        return await asyncio.gather(
            *(loop.ask(route, question("ok"), limit=limit, role="target") for route in (first, second))
        )

    failed, answered = loop.run(ask_both())
    assert (failed.outcome, failed.attempts) == ("transient", 1)
    assert (answered.outcome, answered.attempts) == ("answered", 1)
    assert len(endpoint.calls) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_an_error_of_ours_is_not_asked_again(loop: IoLoop, endpoint: ScriptedEndpoint, status: int) -> None:
    endpoint.script = lambda _: failure(status, "wrong")
    reply = ask(loop, endpoint)
    assert (reply.outcome, reply.status, reply.error) == ("error", status, f"HTTP {status}: wrong")
    assert len(endpoint.calls) == 1


def test_an_endpoint_may_forbid_a_retry(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = lambda _: failure(500, headers={"x-should-retry": "false"})
    assert ask(loop, endpoint).outcome == "error"
    assert len(endpoint.calls) == 1


def test_a_refusal_is_told_from_an_error(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    filtered = Answer(b'{"error": {"code": "content_filter", "message": "filtered"}}', status=400)
    endpoint.script = in_order(text("", finish_reason="content_filter"), filtered)
    withheld, refused = ask(loop, endpoint), ask(loop, endpoint)
    assert (withheld.outcome, withheld.usage.total_tokens) == ("refused", 10)
    assert (refused.outcome, refused.error) == ("refused", "HTTP 400: filtered")


@pytest.mark.parametrize("answer", [silence(), trickle("ok", 0.01), text("ok", cut=150, end="hang")])
def test_the_deadline_ends_silence_and_trickle(loop: IoLoop, endpoint: ScriptedEndpoint, answer: Answer) -> None:
    endpoint.script = lambda _: answer
    reply = ask(loop, endpoint, timeout_s=0.25, max_retries=0)
    assert (reply.outcome, reply.status) == ("transient", None)
    assert "0.25 s" in (reply.error or "")
    assert reply.seconds > 0.2


def test_a_redirect_is_not_followed(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = lambda _: Answer(status=307, headers={"location": f"{endpoint.url}/elsewhere"})
    reply = ask(loop, endpoint)
    assert (reply.outcome, reply.status) == ("error", 307)
    assert "127.0.0.1" in (reply.error or "")
    assert len(endpoint.calls) == 1


@pytest.mark.parametrize("packed", [True, False])
def test_an_answer_too_large_is_final(loop: IoLoop, endpoint: ScriptedEndpoint, packed: bool) -> None:
    large = b" " * (MAX_ANSWER + 1)
    body, headers = (gzip.compress(large, 1), {"content-encoding": "gzip"}) if packed else (large, {})
    endpoint.script = lambda _: Answer(body, headers=headers)
    reply = ask(loop, endpoint)
    assert (reply.outcome, reply.body) == ("error", None)
    assert "8,000,000 bytes" in (reply.error or "")
    assert len(endpoint.calls) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "0x7f000001", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_a_private_address_is_refused_in_every_form(endpoint: ScriptedEndpoint, host: str) -> None:
    guarded = io_loop(Policy())
    reply = ask(guarded, f"http://{host}:{endpoint.port}/v1")
    assert (reply.outcome, reply.attempts) == ("error", 1)
    assert host.strip("[]") in (reply.error or "")
    assert "address that jobs may not call" in (reply.error or "")
    assert endpoint.calls == []


def test_a_link_local_address_is_refused_even_where_private_ones_are_not(loop: IoLoop) -> None:
    reply = ask(loop, "http://169.254.169.254/latest")
    assert reply.outcome == "error"
    assert "ASSAY_ALLOW_ENDPOINTS" in (reply.error or "")


@pytest.mark.parametrize("entry", ["localhost", "LOCALHOST:{port}", "127.0.0.0/8", "127.0.0.1:{port}"])
def test_a_listed_host_may_be_called(endpoint: ScriptedEndpoint, entry: str) -> None:
    listed = io_loop(Policy(allow=(entry.format(port=endpoint.port),)))
    assert ask(listed, f"http://localhost:{endpoint.port}/v1").outcome == "answered"
    assert len(endpoint.calls) == 1


def test_a_listed_name_does_not_open_its_address_to_other_names(endpoint: ScriptedEndpoint) -> None:
    listed = io_loop(Policy(allow=(f"localhost:{endpoint.port}", "localhost:1")))
    assert ask(listed, f"http://localhost:{endpoint.port}/v1").outcome == "answered"
    assert ask(listed, f"http://127.0.0.1:{endpoint.port}/v1").outcome == "error"
    assert len(endpoint.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        failure(401, f"bad key {KEY}"),
        text(f"your key is {KEY}"),
        Answer(b"x" * 70 + KEY.encode(), headers={"content-type": KEY}),
        Answer(rb'{"error": {"message": "key sk-scripted\u002f0123456789"}}', status=401),
        Answer(raw=f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode(), end="close"),
    ],
)
def test_a_key_that_is_echoed_is_masked(loop: IoLoop, endpoint: ScriptedEndpoint, answer: Answer) -> None:
    endpoint.script = lambda _: answer
    reply = ask(loop, endpoint, max_retries=0)
    assert KEY not in repr(reply)
    assert "sk-scripted/" not in repr(reply)
    assert len(endpoint.calls) == 1


def test_an_unreachable_endpoint_is_named_without_what_its_url_hides(loop: IoLoop) -> None:
    with ScriptedEndpoint() as gone:
        port = gone.port
    reply = ask(loop, f"http://user:hunter22@127.0.0.1:{port}/v1?key=hunter33", max_retries=0)
    assert reply.outcome == "transient"
    assert f"http://127.0.0.1:{port}" in (reply.error or "")
    assert "hunter" not in (reply.error or "")


@pytest.mark.parametrize(
    "url", ["ftp://h/v1", "http://h:99999", "http://a..b", "http://2130706433/v1", "http://127.1/v1", "http://a\\b/v1"]
)
def test_a_url_that_cannot_be_asked_is_an_error(loop: IoLoop, url: str) -> None:
    reply = ask(loop, url)
    assert (reply.outcome, reply.status, reply.attempts) == ("error", None, 1)
    assert "The endpoint's URL" in (reply.error or "") or "in the endpoint's URL" in (reply.error or "")


def test_a_url_is_sent_as_it_is_spelt(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    given = "/arn%3Aaws%3Amodel/%2e/chat/completions?sig=a%2Cb%2B%7E"
    reply = loop.run(loop.ask(Route(f"{endpoint.url}{given}", "m"), b"{}", limit=JobLimit(1), role="target"))
    assert (reply.outcome, endpoint.calls[0]["path"]) == ("answered", f"/v1{given}")


def test_a_key_that_cannot_be_sent_is_an_error(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    reply = ask(loop, endpoint, api_key="sk\r\nX-Other: 1")
    assert (reply.outcome, reply.error) == ("error", "The endpoint's key has characters that cannot be sent")
    assert endpoint.calls == []


def test_cancelling_ends_a_call_and_frees_its_place(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = in_order(silence())
    limit, route = JobLimit(1), route_to(endpoint.url, bounds=Bounds(1))

    async def ask_and_cancel() -> Reply:
        running = asyncio.create_task(loop.ask(route, question("1"), limit=limit, role="target"))
        waiting = asyncio.create_task(loop.ask(route, question("2"), limit=limit, role="target"))
        await arrival(endpoint)
        running.cancel()
        waiting.cancel()
        results = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 2
        return await loop.ask(route, question("3"), limit=limit, role="target")

    assert loop.run(ask_and_cancel()).outcome == "answered"
    assert [call["body"]["messages"][0]["content"] for call in endpoint.calls] == ["1", "3"]
    assert limit.free == 1


def test_a_model_s_bound_holds_over_jobs_and_each_job_s_judge_goes_first(
    loop: IoLoop, endpoint: ScriptedEndpoint
) -> None:
    # The first are held until they are all there, however late the third was begun.
    endpoint.script = lambda _: text("ok", delay_s=1.0 if len(endpoint.calls) <= 3 else 0.01)
    route = route_to(endpoint.url, bounds=Bounds(3))
    roles: tuple[Role, ...] = ("target", "target", "judge") * 6

    async def ask_all() -> list[Reply]:
        limits = {"one": JobLimit(4), "two": JobLimit(4)}
        return await asyncio.gather(
            *(
                loop.ask(route, question(f"{job} {role}"), limit=limits[job], role=role)
                for job in limits
                for role in roles
            )
        )

    assert {reply.outcome for reply in loop.run(ask_all())} == {"answered"}
    order = [call["body"]["messages"][0]["content"] for call in endpoint.calls]
    assert endpoint.peak == 3
    assert sorted(order[:3]) == ["one judge", "one target", "one target"]
    assert [place for place in order[3:] if "one" in place] == ["one judge"] * 5 + ["one target"] * 10
    assert [place for place in order[3:] if "two" in place] == ["two judge"] * 6 + ["two target"] * 12
    assert set(order[3:9]) == {"one judge", "two judge"}


def test_a_wait_for_a_retry_leaves_the_place_to_others(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = lambda call: failure(500) if b"bad" in call["raw"] else by_default(call)
    limit = JobLimit(1)

    async def ask_all() -> list[Reply]:
        names = ["bad", *(f"good{i}" for i in range(5))]
        route = route_to(endpoint.url, max_retries=1)
        return await asyncio.gather(*(loop.ask(route, question(n), limit=limit, role="target") for n in names))

    bad, *good = loop.run(ask_all())
    assert (bad.outcome, bad.attempts) == ("transient", 2)
    assert {reply.outcome for reply in good} == {"answered"}
    assert endpoint.peak == 1


def test_a_process_has_one_loop_for_a_policy() -> None:
    with ThreadPoolExecutor(8) as pool:
        loops = set(pool.map(lambda _: io_loop(Policy(allow=("one.example",))), range(32)))
    assert len(loops) == 1
    assert io_loop(Policy(allow=("two.example",))) not in loops


def test_a_process_ends_silently_with_its_loop_at_work(endpoint: ScriptedEndpoint) -> None:
    program = (
        "from tasks.endpoint.loop import *\n"
        "loop = io_loop(Policy(private=True))\n"
        f"route = Route({endpoint.url!r} + '/completions', 'm')\n"
        "print(loop.run(loop.ask(route, b'{\"prompt\": \"silent\"}', limit=JobLimit(2), role='target')).outcome)\n"
        "loop.submit(loop.ask(route, b'{\"prompt\": \"silent\"}', limit=JobLimit(2), role='target'))\n"
    )
    endpoint.script = lambda call: silence() if len(endpoint.calls) > 1 else by_default(call)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("answered\n", "")
    assert done.returncode == 0
