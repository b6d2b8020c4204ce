import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from core.endpoint import Endpoint
from core.errors import Misconfigured
from core.settings import ModelSettings, Settings
from tasks.endpoint.access import route_to
from tasks.endpoint.loop import IoLoop, JobLimit, Policy, Reply, Route
from tests.scripted import ScriptedEndpoint

OURS = "https://models.example/v1"


def settings_of(**model: Any) -> Settings:
    return Settings(models={"m": ModelSettings.model_validate(model)})


def route(settings: Settings, url: str | None = None) -> Route:
    return route_to(Endpoint(model="m", url=url), "chat/completions", settings, lambda reference: f"key of {reference}")


def test_headers_of_the_settings_go_with_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "gw-0123456789")
    headers = {"X-Team": "evals", "X-Gateway": "env:GATEWAY_KEY", "Authorization": "Bearer sk-own"}
    found = route(settings_of(url=OURS, headers=headers))
    assert (found.headers["x-team"], found.headers["x-gateway"]) == ("evals", "gw-0123456789")
    assert found.headers["authorization"] == "Bearer sk-own"
    assert found.mask(b"evals: gw-0123456789, sk-own") == b"evals: ******, ******"


def test_a_variable_that_is_not_set_is_named_with_its_header() -> None:
    with pytest.raises(Misconfigured, match="NO_SUCH_VARIABLE, which is the header X-Key of model 'm'"):
        route(settings_of(url=OURS, headers={"X-Key": "env:NO_SUCH_VARIABLE"}))


def test_what_the_settings_have_for_their_url_goes_to_no_other(authority: Path) -> None:
    settings = settings_of(url=OURS, headers={"X-Team": "evals"}, ca_file=authority)
    elsewhere, here = route(settings, "https://elsewhere.example/v1"), route(settings, OURS)
    assert ("x-team" in elsewhere.headers, elsewhere.ca_file) == (False, None)
    assert ("x-team" in here.headers, here.ca_file) == (True, authority)


def test_a_version_of_azure_s_api_comes_from_the_settings() -> None:
    azure = "https://r.openai.azure.com/openai/deployments/d"
    assert (
        route(settings_of(url=azure, api_version="2025-01-01")).url
        == f"{azure}/chat/completions?api-version=2025-01-01"
    )


@pytest.mark.parametrize("model", [{"headers": {"X Y": "1"}}, {"ca_file": "/no/such/file.pem"}, {"ca_file": __file__}])
def test_settings_that_cannot_be_used_are_refused(model: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings_of(url=OURS, **model)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "models of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, file = serialization.Encoding.PEM, tmp_path_factory.mktemp("tls") / "authority.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(certificate.public_bytes(pem) + private)
    return file


def test_an_authority_of_a_model_s_own_is_trusted_for_it_alone(authority: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    loop = IoLoop(Policy(private=True))

    def ask(ca_file: Path | None) -> Reply:
        to = Route(f"{endpoint.url}/chat/completions", "m", max_retries=0, ca_file=ca_file)
        return loop.run(loop.ask(to, b'{"prompt": "ANSWER: 4"}', limit=JobLimit(1), role="target"))

    with ScriptedEndpoint(tls=context) as endpoint:
        replies = [ask(None), ask(authority), ask(None)]
    loop.close()
    assert [reply.outcome for reply in replies] == ["error", "answered", "error"]
    assert "certificate" in (replies[0].error or "").lower()
    assert "ca_file" in (replies[0].error or "")
