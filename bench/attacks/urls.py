"""URLs that try to have the service call what its settings do not allow, through every face that takes one."""

import re
from collections.abc import Iterator
from typing import Final

from bench.attacks.jobs import Asked, Ended, Json, attempts, native
from bench.attacks.site import Site, Try
from tests.api.together import bodies as together
from tests.scripted import Answer, by_default
from tests.service.bodies import CORRECT, chat_task, job, judge
from tests.service.bodies import model as nemo_model
from tests.tasks import specs

_LOOPBACK: Final = r"""
    127.0.0.1 localhost LOCALHOST localhost. 127.1 127.0.1 127.000.000.001 2130706433 0x7f000001 0x7f.1 0177.0.0.1
    0x7f.0x0.0x0.0x1 017700000001 127.0.0.1. 127.255.255.254 0.0.0.0 0 [::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1]
    [0:0:0:0:0:ffff:7f00:1] [::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] [::1%25lo] [::ffff:127.0.0.1%25lo]
    ip6-localhost ip6-loopback localhost.localdomain 127.0.0.1.nip.io 1２7.0.0.1 127。0。0。1 ①②⑦.⓪.⓪.①
    ｌｏｃａｌｈｏｓｔ %31%32%37.0.0.1 127.0.0.1%00 127.0.0.1%2e 127%2e0%2e0%2e1 loc\talhost loc\nalhost
    localhost\xad local\u200dhost
"""
_PRIVATE: Final = """
    169.254.169.254 169.254.170.2 [fd00:ec2::254] [fe80::1] [fec0::1] 100.100.100.200 10.0.0.1 172.16.0.1 192.168.0.1
    192.0.0.192 metadata.google.internal 2852039166 0xa9fea9fe [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe] 224.0.0.1
    255.255.255.255 [ff02::1] 0251.0376.0251.0376 8.8.8.8
"""
_AROUND: Final = r"""
    http://ALLOWED@CANARY/v1 http://ALLOWED%2f@CANARY/v1 http://CANARY#@ALLOWED/v1 http://CANARY\\@ALLOWED/v1
    http://CANARY/@ALLOWED/v1 http://CANARY?@ALLOWED/v1 http://ALLOWED:80@CANARY/v1 http://ALLOWED\\@CANARY/v1
    http:CANARY/v1 http:/CANARY/v1 http:///CANARY/v1 http:\\\\CANARY/v1 //CANARY/v1 CANARY/v1 hTTp://CANARY/v1
    http://ALLOWED.CANARY/v1 http://CANARY/v1/../../ALLOWED http://ALLOWED/../CANARY http://ALLOWED/v1?url=http://CANARY
    http://ALLOWED%0d%0aHost:%20CANARY/v1 http://ALLOWED/v1%0d%0aX:%20CANARY http://ALLOWED/v1\r\nHost:\tCANARY
    http://ALLOWED,CANARY/v1 http://ALLOWED;CANARY/v1 http://[ALLOWED]@CANARY/v1 https://CANARY/v1 file:///etc/passwd
    file://CANARY/etc gopher://CANARY/_x ftp://CANARY/ dict://CANARY/x ws://CANARY/v1 data:application/json,{}
    javascript:alert(1) unix:///var/run/docker.sock http+unix://%2Fvar%2Frun%2Fdocker.sock/v1 jar:http://CANARY!/
    ldap://CANARY/ http://CANARY:0/v1 http://CANARY:/v1 http://\tCANARY/v1 \thttp://CANARY/v1 http://CANARY\x00.x/v1
"""
_ESCAPE: Final = re.compile(r"\\(u....|x..|.)")
_LEADS: Final = (
    "http://CANARY/v1",
    "//CANARY/v1",
    "http://ALLOWED@CANARY/v1",
    "/\\CANARY/v1",
    "http:\\\\CANARY",
    "file:///etc/passwd",
)
_STATUSES: Final = (301, 302, 303, 307, 308)


def urls(allowed: str, canary_port: int) -> list[str]:
    """Return the URLs; the host `allowed` may be asked, and what listens on the port at loopback may not."""
    canary = f"127.0.0.1:{canary_port}"
    around = [each.replace("ALLOWED", allowed).replace("CANARY", canary) for each in _words(_AROUND)]
    return [
        *(f"http://{host}:{canary_port}/v1" for host in _words(_LOOPBACK)),
        *(f"http://{host}/latest/meta-data" for host in _PRIVATE.split()),
        *(f"http://{host}:{canary_port}" for host in _PRIVATE.split()),
        *around,
    ]


def _words(text: str) -> list[str]:
    """Return the words of a text, in which escapes stand for characters that it could not show."""
    return [_ESCAPE.sub(lambda found: found[0].encode().decode("unicode_escape"), each) for each in text.split()]


def attack(site: Site) -> Iterator[Try]:
    """Ask for a model at each URL, through each face; then have an allowed one lead on."""
    allowed, canary = site.endpoint.url.split("/")[2], f"127.0.0.1:{site.canary.port}"
    file_id = _upload(site)
    faces = (_target, _judge, _nemo, _together)
    asked = [
        face(url, number, file_id)
        for number, url in enumerate(urls(allowed, site.canary.port))
        for face in (faces[number % 4], faces[(number + 1) % 4])
    ]
    site.endpoint.script = by_default
    yield from attempts(site, site.some(asked))
    leads = [each.replace("ALLOWED", allowed).replace("CANARY", canary) for each in _LEADS]
    for status, lead in site.some([(status, lead) for status in _STATUSES for lead in leads]):
        site.endpoint.script = lambda _, status=status, lead=lead: Answer(status=status, headers={"location": lead})  # type: ignore[misc]
        yield from attempts(site, [_target(site.endpoint.url, 0, file_id, name=f"{status} to {lead}")])


def _called(ended: Ended) -> str | None:
    """Return what came to the server that nobody may call; the endpoint that may be asked answers as it is told."""
    visits, ended.site.canary.visits = ended.site.canary.visits, []
    return f"it called what may not be called: {visits[0][:100]!r}" if visits else None


def _target(url: str, number: int, file_id: str, name: str = "") -> Asked:
    asked = native(name or f"target {url!r}", specs.spec(specs.model("http://x"), [{"question": "q"}]), _called)
    asked.body["spec"]["targets"][0]["endpoint"]["url"] = url
    return asked


def _judge(url: str, number: int, file_id: str) -> Asked:
    graded = specs.spec(specs.recorded("answer"), [{"answer": "a"}], specs.judge("http://x"))
    asked = native(f"judge {url!r}", graded, _called)
    asked.body["spec"]["tasks"][0]["metrics"][0]["endpoint"]["url"] = url
    return asked


def _nemo(url: str, number: int, file_id: str) -> Asked:
    task = chat_task(f"file:{file_id}", correct=CORRECT, graded=judge(nemo_model(url, "judge"), "say 1"))
    body: Json = {"spec": job(nemo_model(url), params={"max_retries": 0}, qa=task)}
    return Asked(f"NeMo {url!r}", body, _called, "/v2/evaluation/jobs")


def _together(url: str, number: int, file_id: str) -> Asked:
    body = together.classify(together.judge(url), file_id, together.model(url, "{{question}}"))
    return Asked(f"Together {url!r}", body, _called, "/v1/evaluation")


def _upload(site: Site) -> str:
    sent = {"purpose": "eval", "file_type": "jsonl"}
    content = b'{"question": "q", "answer": "a", "response": "a"}\n'
    made = site.http.post("/v1/files", files={"file": ("rows.jsonl", content)}, data=sent).raise_for_status().json()
    return str(made["id"])
