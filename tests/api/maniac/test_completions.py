import pytest

from tests.api.maniac.conftest import chat
from tests.scripted import Answer, by_default, failure, text

COMPLETIONS = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "hello ANSWER: hi"}]


@pytest.fixture(autouse=True)
def _as_usual(model):
    yield
    model.script = by_default


class TestRegister:
    def test_chats_keep_their_order_and_all_that_they_hold(self, maniac):
        maniac.container("ordered")
        chats = [chat(f"q{n}", f"a{n}", metadata={"n": n}, tags=["t"], input_tools=[]) for n in range(5)]
        asked = {"container": "ordered", "items": chats}
        answer = maniac.post(f"/api{COMPLETIONS}/register", asked)
        assert answer == {
            "ok": True,
            "container": "ordered",
            "summary": {"received": 5, "registered": 5, "failed": 0},
            "errors": [],
        }
        logged = maniac.get(COMPLETIONS, container="ordered", order="asc")
        assert logged["total"] == 5
        assert [each["input"] for each in logged["data"]] == [each["input"] for each in chats]
        assert [each["metadata"]["n"] for each in logged["data"]] == list(range(5))
        first = logged["data"][0]
        assert {name: first[name] for name in ("object", "model", "container", "choices", "tags")} == {
            "object": "chat.completion",
            "model": "logged",
            "container": "ordered",
            "choices": chats[0]["output"]["choices"],
            "tags": ["t"],
        }
        assert maniac.get(f"{COMPLETIONS}/{first['id']}") == first

    def test_what_cannot_be_read_is_named_and_the_rest_is_kept(self, maniac):
        maniac.container("partly")
        broken = [{"input": {}}, "text", chat("q", "a") | {"output": {"choices": []}}]
        answer = maniac.post(
            f"{COMPLETIONS}/register", {"container": "partly", "items": [broken[0], chat("q", "a"), *broken[1:]]}
        )
        assert not answer["ok"]
        assert answer["summary"] == {"received": 4, "registered": 1, "failed": 3}
        assert [each["index"] for each in answer["errors"]] == [0, 2, 3]
        assert answer["errors"][0]["message"] == "input.messages: Field required"
        assert answer["errors"][2]["message"].startswith("output.choices: ")
        assert maniac.get(COMPLETIONS, container="partly")["total"] == 1

    def test_nothing_that_can_be_read_is_an_error(self, maniac):
        maniac.container("empty")
        asked = {"container": "empty", "items": [{"input": {}}]}
        assert maniac.error("POST", f"{COMPLETIONS}/register", asked, status=422)["param"] == "items.0"
        assert maniac.error("POST", f"{COMPLETIONS}/register", {**asked, "items": []}, status=422)["param"] == "items"
        asked["container"] = "none"
        assert maniac.error("POST", f"{COMPLETIONS}/register", asked, status=404)["code"] == "not_found"

    def test_keys_are_not_kept_but_messages_are_as_they_were(self, maniac, service):
        maniac.container("keyed")
        said = [{"role": "user", "content": "https://user:pass@host is my URL", "token": "a word"}]
        logged = chat("q", "a", metadata={"token": "MARKER-1"})
        logged["input"] = {"messages": said, "api_key": "MARKER-2"}
        maniac.log("keyed", logged)
        (shown,) = maniac.get(COMPLETIONS, container="keyed")["data"]
        assert shown["input"] == {"messages": said, "api_key": "******"}
        assert shown["metadata"] == {"token": "******"}
        assert b"MARKER-1" not in service.kept()
        assert b"MARKER-2" not in service.kept()


class TestList:
    def test_a_list_is_narrowed_by_model_and_metadata_which_the_client_sends_as_a_body(self, maniac):
        maniac.container("narrowed")
        other = chat("q2", "a", metadata={"topic": "x", "n": 2})
        other["output"]["model"] = "other"
        maniac.log("narrowed", chat("q1", "a", metadata={"topic": "x", "n": 1}), other, chat("q3", "a"))

        def found(body=None, **query):
            response = maniac.http.request("GET", COMPLETIONS, params={"container": "narrowed", **query}, json=body)
            return [each["input"]["messages"][0]["content"] for each in response.json()["data"]]

        assert found() == ["q3", "q2", "q1"]
        assert found({"topic": "x"}) == ["q2", "q1"]
        assert found({"topic": "x", "n": 1}) == ["q1"]
        assert found({"topic": "y"}) == []
        assert found(model="other") == ["q2"]
        assert found(order="asc", limit=1, offset=1) == ["q2"]

    @pytest.mark.parametrize("key", ["a.b", "käse", "$", "'"])
    def test_metadata_is_found_whatever_its_keys_are(self, maniac, key):
        maniac.container(f"keys {key}")
        maniac.log(f"keys {key}", chat("q", "a", metadata={key: "'x'"}), chat("q", "a", metadata={"other": "'x'"}))
        response = maniac.http.request("GET", COMPLETIONS, json={key: "'x'"}, params={"container": f"keys {key}"})
        assert response.json()["total"] == 1
        for wrong in ({key: "\x00"}, {"\x00": "x"}, {'a"b': "x"}, {key: ["x"]}, ["x"]):
            assert maniac.http.request("GET", COMPLETIONS, json=wrong).status_code == 422

    def test_a_content_type_without_a_body_is_no_error(self, maniac):
        response = maniac.http.get(COMPLETIONS, headers={"Content-Type": "application/json"})
        assert response.status_code == 200
        assert maniac.error("GET", f"{COMPLETIONS}?order=sideways", status=422)["param"] == "order"
        assert maniac.error("GET", f"{COMPLETIONS}/none", status=404)["code"] == "not_found"


class TestCreate:
    def test_a_container_says_how_its_model_is_asked_and_logs_what_the_client_said(self, maniac, model):
        maniac.container("asked", default_system_prompt="Be {{kind}}", default_parameters={"seed": 1, "top_p": 1})
        sent = {"messages": HELLO, "seed": 2, "store": True, "stream": False, "tags": ["t"], "metadata": {"k": "v"}}
        for asked in ({"model": "maniac:asked"}, {"model": "maniac/asked"}, {"container": "asked"}):
            answer = maniac.post(COMPLETIONS, sent | asked)
            assert answer["choices"][0]["message"]["content"] == "hi"
            assert model.calls[-1]["body"] == {
                "model": "m",
                "messages": [{"role": "system", "content": "Be {{kind}}"}, *HELLO],
                "seed": 2,
                "top_p": 1,
            }
        assert model.calls[-1]["headers"]["authorization"] == "Bearer MARKER-default"
        logged = maniac.get(COMPLETIONS, container="asked")
        assert logged["total"] == 3
        shown = logged["data"][0]
        assert (shown["input"], shown["model"]) == ({"messages": HELLO, "seed": 2}, "m")
        assert (shown["tags"], shown["metadata"], shown["usage"]["total_tokens"]) == (["t"], {"k": "v"}, 10)

    def test_only_what_a_container_is_called_for_is_logged(self, maniac, model):
        maniac.container("unlogged")
        total = maniac.get(COMPLETIONS)["total"]
        maniac.post(COMPLETIONS, {"messages": HELLO, "model": "openai/x"})
        assert model.calls[-1]["body"]["model"] == "openai/x"
        maniac.post(COMPLETIONS, {"messages": HELLO, "container": "unlogged", "model": "other", "store": False})
        assert model.calls[-1]["body"]["model"] == "other"
        assert maniac.get(COMPLETIONS)["total"] == total

    def test_what_goes_wrong_is_said_with_the_status_that_it_has(self, maniac, model):
        maniac.container("failing")
        asked = {"container": "failing", "messages": HELLO}
        statuses = {400: 400, 404: 404, 422: 422, 401: 502, 500: 502, 503: 502}
        for upstream, status in statuses.items():
            model.script = lambda _, code=upstream: failure(code, f"it was {code}")
            error = maniac.error("POST", COMPLETIONS, asked, status=status)
            assert error["message"] == f"HTTP {upstream}: it was {upstream}"
        assert error["code"] == "upstream_unavailable"
        model.script = lambda _: failure(200, "no choices")
        assert maniac.error("POST", COMPLETIONS, asked, status=502)["code"] == "upstream_unavailable"
        assert maniac.get(COMPLETIONS, container="failing")["total"] == 0

    def test_a_busy_endpoint_is_waited_for_by_the_client_for_whole_seconds(self, maniac, model):
        model.script = lambda _: failure(429, "slow down", {"Retry-After": "50.2"})
        asked = {"model": "busy", "messages": HELLO}
        calls = len(model.calls)
        for wait in ("51", "5"):
            response = maniac.http.post(COMPLETIONS, json=asked)
            assert response.status_code == 429
            assert response.json()["error"]["code"] == "rate_limited"
            assert response.headers["Retry-After"] == wait
        assert len(model.calls) == calls + 1

    def test_a_refusal_is_an_answer(self, maniac, model):
        maniac.container("refusing")
        model.script = lambda _: text("", finish_reason="content_filter")
        answer = maniac.post(COMPLETIONS, {"container": "refusing", "messages": HELLO})
        assert answer["choices"][0]["finish_reason"] == "content_filter"
        assert maniac.get(COMPLETIONS, container="refusing")["total"] == 1

    @pytest.mark.parametrize(
        "refusal",
        [
            b'{"promptFeedback": {"blockReason": "SAFETY"}}',
            b'{"choices": [{"message": null, "finish_reason": "PROHIBITED_CONTENT"}]}',
        ],
    )
    def test_a_refusal_without_a_message_is_an_error_of_the_request(self, maniac, model, refusal):
        model.script = lambda _: Answer(refusal)
        asked = {"model": "refusing", "messages": HELLO}
        assert "The endpoint" in maniac.error("POST", COMPLETIONS, asked, status=400)["message"]

    def test_what_the_model_does_not_take_is_left_out_and_a_header_says_so(self, maniac, model):
        refused = failure(400, "top_p is not supported: 1\n\u00fc")
        model.script = lambda call: refused if "top_p" in call["body"] else by_default(call)
        response = maniac.http.post(COMPLETIONS, json={"model": "noted", "messages": HELLO, "top_p": 1})
        assert response.json()["choices"][0]["message"]["content"] == "hi"
        said = response.headers["X-Assay-Notes"]
        assert said == "top_p is left out, since the endpoint says: top_p is not supported: 1 ?"

    @pytest.mark.parametrize(
        ("asked", "status", "says"),
        [
            ({"messages": HELLO}, 422, "name a model"),
            ({"model": "m"}, 422, "messages"),
            ({"model": "m", "messages": []}, 422, "messages"),
            ({"model": "m", "messages": [{"content": "x"}]}, 422, "messages.0.role"),
            ({"model": "m", "messages": [{"role": "user", "content": 5}]}, 422, "messages.0.content"),
            ({"model": "m", "messages": HELLO, "stream": True}, 501, "stream"),
            ({"model": "m", "messages": HELLO, "api_key": "MARKER"}, 422, "key"),
            ({"model": "maniac:none", "messages": HELLO}, 404, "Container 'none' not found"),
            ({"container": "none", "messages": HELLO}, 404, "Container 'none' not found"),
        ],
    )
    def test_what_cannot_be_asked_is_refused_before_any_call(self, maniac, model, asked, status, says):
        calls = len(model.calls)
        error = maniac.error("POST", COMPLETIONS, asked, status=status)
        assert says in error["message"]
        assert "MARKER" not in str(error)
        assert len(model.calls) == calls

    def test_a_model_without_a_url_is_not_found(self, service):
        response = service.http.post(COMPLETIONS, json={"model": "nowhere", "messages": HELLO})
        assert response.status_code == 404
        assert "ASSAY_DEFAULT_ENDPOINT" in response.json()["error"]["message"]
