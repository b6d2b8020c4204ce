import copy
import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import NotFound, ServiceError, SpecInvalid
from store.db import tables
from store.db.connect import connect, writing
from store.db.migrations import migrate
from store.secrets import MASK, MAX_DEPTH, holds_key, mask, seal
from store.secrets import references as ids_of
from store.vault import Vault, forget, keep, load_key

BODY: dict[str, Any] = {
    "name": "nightly",
    "spec": {
        "target": {"model": {"api_endpoint": {"url": "http://nim/v1", "model_id": "m", "api_key": "sk-target"}}},
        "config": {
            "params": {"max_tokens": 5, "extra": {"hf_token": "hf-1"}},
            "tasks": {"qa": {"metrics": [{"params": {"model": {"api_endpoint": {"api_key": "sk-judge"}}}}]}},
        },
    },
}


def references(value: Any) -> list[str]:
    """The values of all key fields of a body, in order."""
    match value:
        case dict():
            own = [item for name, item in value.items() if holds_key(name) and isinstance(item, str)]
            return own + [ref for item in value.values() for ref in references(item)]
        case list():
            return [ref for item in value for ref in references(item)]
    return []


KEY_NAMES = [
    "api_key",
    "API-Key",
    "apikey",
    "hf_token",
    "client_secret",
    "x-api-key",
    "Authorization",
    "password",
    "cookie",
]

# Marked, so that what is left of a key is told from other text.
clear_keys = st.text(min_size=1, max_size=20).map(lambda text: f"«{text}»") | st.sampled_from(["store:«x»", "env:«X»"])
unmarked = st.text(st.characters(exclude_characters="«»"), max_size=5)
plain = st.none() | st.booleans() | st.integers() | unmarked | st.just("http://host/v1")
names = st.sampled_from(["url", "model", "extra", "tasks"])


def mappings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    keyed = st.dictionaries(st.sampled_from(KEY_NAMES), clear_keys | st.none(), max_size=3)
    return st.builds(lambda plain, keys: plain | keys, st.dictionaries(names, values, max_size=3), keyed)


bodies = mappings(st.recursive(plain, lambda values: st.lists(values, max_size=3) | mappings(values), max_leaves=8))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('vault') / 'assay.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def vault(database: sa.Engine) -> Vault:
    return Vault(database, load_key("a setting", Path()))


def keep_for_job(database: sa.Engine, ciphertexts: dict[str, bytes]) -> None:
    with writing(database) as connection:
        keep(connection, "job", "j", ciphertexts)


class TestSeal:
    @given(body=bodies)
    def test_no_key_is_left_in_what_is_kept_or_shown(self, body: dict[str, Any]) -> None:
        before = copy.deepcopy(body)
        sealed, found = seal(body)
        assert "«" not in json.dumps(sealed, ensure_ascii=False)
        assert "«" not in json.dumps(mask(sealed), ensure_ascii=False)
        assert set(references(mask(sealed))) <= {MASK}
        assert sorted(found.values()) == sorted(references(body))
        assert body == before

    @given(body=bodies)
    @settings(deadline=None)
    def test_what_was_sealed_can_be_revealed(self, vault: Vault, database: sa.Engine, body: dict[str, Any]) -> None:
        sealed, found = seal(body)
        ciphertexts = vault.encrypt(found)
        keep_for_job(database, ciphertexts)
        assert [vault.reveal(ref) for ref in references(sealed)] == references(body)
        assert not any(clear.encode() in ciphertexts[key_id] for key_id, clear in found.items())

    def test_a_request_keeps_all_but_its_keys(self) -> None:
        sealed, found = seal(BODY)
        assert sorted(found.values()) == ["hf-1", "sk-judge", "sk-target"]
        assert sorted(references(sealed)) == sorted(f"store:{key_id}" for key_id in found)
        expected = copy.deepcopy(BODY)
        expected["spec"]["target"]["model"]["api_endpoint"]["api_key"] = MASK
        expected["spec"]["config"]["params"]["extra"]["hf_token"] = MASK
        judge = expected["spec"]["config"]["tasks"]["qa"]["metrics"][0]["params"]["model"]
        judge["api_endpoint"]["api_key"] = MASK
        assert mask(sealed) == expected

    def test_what_is_no_key_stays(self) -> None:
        body = {"api_key": None, "token": "", "max_tokens": 3, "tools": [{"token": {"type": "string"}}]}
        assert seal(body) == (body, {})
        assert mask(body) == body | {"token": MASK}

    def test_samples_are_data_whatever_their_columns_are_called(self) -> None:
        rows = [{"token": "hello", "url": "http://user:pw@host/"}]
        sealed, found = seal({"dataset": {"rows": rows, "token": "hf-1"}})
        assert sealed["dataset"]["rows"] == mask(sealed)["dataset"]["rows"] == rows
        assert list(found.values()) == ["hf-1"]

    @pytest.mark.parametrize(
        ("url", "without", "key"),
        [
            ("http://user:KEY@host:8000/v1?a=b@c", "http://host:8000/v1?a=b@c", "KEY"),
            ("https://KEY@host", "https://host", "KEY"),
            ("https://KEY:@host", "https://host", "KEY"),
            ("HTTPS://u:K%40Y@host/", "HTTPS://host/", "K@Y"),
            ("http://u:K@Y@host/", "http://host/", "K@Y"),
            ("http://u:K:Y@[::1]:80/", "http://[::1]:80/", "K:Y"),
        ],
    )
    def test_user_info_leaves_the_url_and_becomes_the_key_beside_it(self, url: str, without: str, key: str) -> None:
        sealed, found = seal({"model": {"url": url, "model_id": "m"}})
        (key_id,) = found
        assert sealed == {"model": {"url": without, "model_id": "m", "api_key": f"store:{key_id}"}}
        assert found == {key_id: key}

    @given(key=clear_keys)
    def test_any_key_survives_its_way_through_a_url(self, key: str) -> None:
        sealed, found = seal({"urls": {"url": f"http://user:{quote(key, safe='')}@host/v1"}})
        assert list(found.values()) == [key]
        assert sealed["urls"]["url"] == "http://host/v1"

    @pytest.mark.parametrize("text", ["http://host/a@b", "http://host?q=u:p@x", "see http://u:p@host", "u:p@host", ""])
    def test_other_texts_stay_as_they_are(self, text: str) -> None:
        body = {"text": text, "list": [text]}
        assert seal(body) == (body, {})

    def test_user_info_beside_a_key_is_dropped(self) -> None:
        sealed, found = seal({"api_key": "sk-1", "url": "http://user:pw@host/v1"})
        assert list(found.values()) == ["sk-1"]
        assert sealed["url"] == "http://host/v1"

    def test_user_info_takes_the_place_of_an_absent_key(self) -> None:
        sealed, found = seal({"url": "http://user:pw@host/v1", "api_key": None, "urls": ["http://a:b@c", "http://@d"]})
        assert list(found.values()) == ["pw"]
        assert sealed == {
            "url": "http://host/v1",
            "api_key": f"store:{next(iter(found))}",
            "urls": ["http://c", "http://d"],
        }

    def test_a_body_that_is_nested_too_deeply_is_refused(self) -> None:
        body: dict[str, Any] = {"api_key": "sk-1"}
        for _ in range(MAX_DEPTH):
            body = {"a": body}
        assert len(seal(body)[1]) == 1
        with pytest.raises(SpecInvalid, match="deeper than 100 levels"):
            seal({"a": [body]})


class TestVault:
    def test_a_ciphertext_is_read_under_its_own_id_only(self, vault: Vault, database: sa.Engine) -> None:
        ciphertexts = vault.encrypt({"one": "sk-1", "two": "sk-1"})
        assert ciphertexts["one"] != ciphertexts["two"]
        keep_for_job(database, {"swapped": ciphertexts["one"], "two": ciphertexts["two"]})
        assert vault.reveal("store:two") == "sk-1"
        with pytest.raises(ServiceError, match="store:swapped cannot be decrypted"):
            vault.reveal("store:swapped")

    def test_another_key_is_told_by_name(self, vault: Vault, database: sa.Engine) -> None:
        keep_for_job(database, vault.encrypt({"three": "sk-1"}))
        with pytest.raises(ServiceError, match="ASSAY_SECRET_KEY"):
            Vault(database, load_key("another", Path())).reveal("store:three")
        assert vault.reveal("store:three") == "sk-1"

    def test_a_key_that_is_gone_is_not_found(self, vault: Vault) -> None:
        with pytest.raises(NotFound, match="store:never is no longer kept"):
            vault.reveal("store:never")
        with pytest.raises(NotFound) as error:
            vault.reveal("sk-in-the-wrong-place")
        assert "sk-" not in error.value.message

    def test_the_environment_is_read_when_it_is_asked(self, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("A_KEY", "sk-env")
        assert vault.reveal("env:A_KEY") == "sk-env"
        monkeypatch.setenv("A_KEY", "")
        monkeypatch.delenv("B_KEY", raising=False)
        for name in ("A_KEY", "B_KEY"):
            with pytest.raises(NotFound, match=f"environment variable {name} is not set"):
                vault.reveal(f"env:{name}")


class TestLoadKey:
    def test_a_setting_gives_the_same_key_everywhere(self, tmp_path: Path) -> None:
        assert load_key("secret", tmp_path) == load_key("secret", tmp_path / "elsewhere")
        assert len({load_key("secret", tmp_path), load_key("Secret", tmp_path)}) == 2
        assert len(load_key("x", tmp_path)) == 32
        assert os.listdir(tmp_path) == []

    def test_without_a_setting_a_file_for_the_owner_alone_keeps_it(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        key = load_key(None, home)
        assert load_key("", home) == key
        assert stat.S_IMODE((home / "secret.key").stat().st_mode) == 0o600
        assert os.listdir(home) == ["secret.key"]
        assert load_key(None, tmp_path / "other") != key

    def test_many_that_start_at_once_agree_on_one_key(self, tmp_path: Path) -> None:
        for i in range(5):
            with ThreadPoolExecutor(8) as pool:
                keys = list(pool.map(lambda home: load_key(None, home), [tmp_path / str(i)] * 8))
            assert len(keys) == 8
            assert len(set(keys)) == 1

    def test_a_damaged_file_is_refused_not_replaced(self, tmp_path: Path) -> None:
        file = tmp_path / "secret.key"
        file.write_bytes(b"\xff12")
        with pytest.raises(ServiceError, match=r"secret\.key is damaged"):
            load_key(None, tmp_path)
        assert file.read_bytes() == b"\xff12"


class TestReferences:
    def test_all_keys_of_a_sealed_body_are_named_and_none_of_its_data(self) -> None:
        body = {"a": [{"api_key": "k"}], "hf_token": "t", "rows": [{"token": "store:data"}], "text": "store:text"}
        sealed, keys = seal(body)
        assert ids_of(sealed) == set(keys)
        assert ids_of(seal({"rows": [{"token": "x"}], "api_key": None})[0]) == set()

    def test_a_body_that_is_sealed_and_unsealed_is_the_same(self, engine: sa.Engine) -> None:
        vault = Vault(engine, bytes(32))
        body = {"m": {"api_key": "k", "n": [1, {"password": "p"}]}, "rows": [{"token": "data"}], "e": None}
        sealed, keys = seal(body)
        with writing(engine) as connection:
            keep(connection, "target", "t", vault.encrypt(keys))
        assert vault.unseal(sealed) == body

    def test_an_owners_keys_go_but_those_that_are_kept(self, engine: sa.Engine) -> None:
        with writing(engine) as connection:
            keep(connection, "target", "t", {"a": b"1", "b": b"2"})
            keep(connection, "config", "t", {"c": b"3"})
            forget(connection, "target", "t", but={"a"})
            left = sa.select(tables.secrets.c.id).order_by(tables.secrets.c.id)
            assert connection.scalars(left).all() == ["a", "c"]
            forget(connection, "target", "t")
            assert connection.scalars(left).all() == ["c"]


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "X-Api-Key", "API_KEY"])
def test_a_header_s_key_is_one_whatever_the_case_of_its_name(name: str) -> None:
    sealed, found = seal({"metadata": {name: "Bearer MARKER", "model": "m"}})
    assert "MARKER" not in str(sealed)
    assert list(found.values()) == ["Bearer MARKER"]
    assert mask(sealed) == {"metadata": {name: MASK, "model": "m"}}


@pytest.mark.parametrize("holder", ["headers", "extra_headers", "Default-Headers"])
def test_all_texts_of_headers_are_keys(holder: str) -> None:
    sealed, keys = seal({"model": {holder: {"X-Mine": "«1»", "X-Other": "«2»", "n": 3}}})
    assert sorted(keys.values()) == ["«1»", "«2»"]
    assert "«" not in repr(sealed)
    assert mask(sealed) == {"model": {holder: dict.fromkeys(("X-Mine", "X-Other", "n"), MASK)}}


@pytest.mark.parametrize("parameter", ["api_key", "api-key", "apikey", "key", "access_token", "api%5Fkey", "TOKEN"])
@pytest.mark.parametrize("field", ["url", "external_base_url", "hf_endpoint", "api_base", "hub"])
def test_a_key_in_the_query_of_a_url_is_refused_and_not_repeated(field: str, parameter: str) -> None:
    with pytest.raises(SpecInvalid, match="give it as api_key") as refused:
        seal({"model": {field: f"https://host/v1?api-version=1&{parameter}=«sk»#x"}})
    assert "«" not in str(refused.value)


def test_other_queries_and_those_of_images_are_left_alone() -> None:
    body = {"url": "https://host/v1?api-version=1", "m": [{"image_url": {"url": "https://host/i.png?sig=1"}}]}
    assert seal(body) == (body, {})
