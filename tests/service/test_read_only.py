"""The service as its image runs it: as a user without rights, below a root that is mounted read-only.

There is no engine of containers here; the kernel is asked for the same by hand, which root alone may do.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
USER = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)[0]

INSIDE = """\
set -e
mount --make-rprivate /
mount --bind "$PYTHON" /mnt
mount -t tmpfs -o mode=755 tmpfs /root
mkdir -p "$PYTHON" && mount --move /mnt "$PYTHON"
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir /tmp/data && chown "$USER_ID" /tmp/data
mount -o remount,bind,ro /
exec setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups --no-new-privs --bounding-set=-all "$@"
"""
WRITES = """\
import os, pathlib
for folder in ("/", "/usr", "/etc", "/var", "/opt"):
    try:
        (pathlib.Path(folder) / "written").touch()
    except OSError:
        continue
    raise SystemExit(f"{folder} can be written to")
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
assert os.getuid() and not int(status["CapEff"], 16) and status["NoNewPrivs"].strip() == "1", status
"""


def inside(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as the image would, with its variables and its home."""
    [variables] = re.findall(r"^ENV (.*(?:\\\n.*)*)", DOCKERFILE, re.MULTILINE)
    given = dict(re.findall(r"(\w+)=(\S+)", variables)) | {"PATH": os.environ["PATH"], "ASSAY_HOME": "/tmp/data"}
    given |= {
        "ASSAY_HOST": "127.0.0.1",
        "PYTHON": sys.base_prefix,
        "USER_ID": USER,
        "HOME": "/tmp",
    }  # the demo has no key
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", INSIDE, "sh", *command],
        cwd="/",
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"),
    reason="needs root, to take rights away",
)
def test_a_whole_evaluation_needs_no_rights_and_writes_to_its_home_and_tmp_alone() -> None:
    if (tried := subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)).returncode:
        pytest.skip(f"no mounts of its own here: {tried.stderr.decode()}")
    closed = inside(sys.executable, "-c", WRITES)
    assert closed.returncode == 0, closed.stderr
    done = inside(sys.executable, "-P", "-m", "cli", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "completed after" in done.stdout
    assert done.stdout.rstrip().endswith("Stopped")
