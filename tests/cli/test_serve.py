import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cli.serve import QUIET_S, CannotServe, listen_from, sole_supervisor, wait_for
from core.errors import Misconfigured
from core.settings import Settings


def test_a_home_has_one_supervisor_at_a_time(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with sole_supervisor(home):
        assert (home / "serve.lock").read_text() == f"{os.getpid()}\n"
        with (
            pytest.raises(CannotServe, match=rf"runs already on {home} \(pid {os.getpid()}\)"),
            sole_supervisor(home),
        ):
            pass
        with sole_supervisor(tmp_path / "another"):
            assert (tmp_path / "another").is_dir()
    with sole_supervisor(home):
        assert (home / "serve.lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_of_a_supervisor_that_was_killed_is_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from cli.serve import sole_supervisor\n"
        "with sole_supervisor(Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -9
    left = (tmp_path / "serve.lock").read_text()
    with sole_supervisor(tmp_path):
        assert (tmp_path / "serve.lock").read_text() == f"{os.getpid()}\n" != left


def test_a_second_start_says_who_holds_the_home_and_exits_with_2(tmp_path: Path) -> None:
    code = "import sys; from cli.main import main; main()"
    with sole_supervisor(tmp_path):
        second = subprocess.run(
            [sys.executable, "-c", code, "serve"],
            env=os.environ | {"ASSAY_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 2
    assert second.stderr == f"assay serve runs already on {tmp_path} (pid {os.getpid()})\n"
    assert second.stdout == ""
    assert not (tmp_path / "assay.db").exists()


def test_each_wait_of_a_slow_start_has_its_own_time_to_show_life(tmp_path: Path) -> None:
    tended: list[str] = []

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if tended else 503)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        begun = time.monotonic() - 2 * QUIET_S
        wait_for(f"http://127.0.0.1:{server.server_port}", begun, [], lambda: tended.append("once"), tmp_path)
        server.shutdown()
    assert tended


def test_the_next_port_on_which_nobody_listens_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with listen_from("127.0.0.1", port) as found:
            assert found.getsockname()[1] > port
    with listen_from("127.0.0.1", port) as found:
        assert found.getsockname()[1] == port


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:7331"), ("::1", "http://[::1]:7331"), ("localhost", "http://localhost:7331")],
)
def test_readiness_is_asked_where_the_api_listens_and_not_of_a_proxy(tmp_path: Path, host: str, url: str) -> None:
    assert Settings(home=tmp_path, host=host).listening_url == url
    assert Settings(home=tmp_path, host=host, public_url="https://evals.example.com").listening_url == url


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(Misconfigured, match=rf"ASSAY_HOME {tmp_path}/file cannot be used: File exists"),
        sole_supervisor(tmp_path / "file"),
    ):
        pass
    with pytest.raises(Misconfigured, match="Not a directory"), sole_supervisor(tmp_path / "file" / "home"):
        pass
