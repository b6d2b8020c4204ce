"""An object store of its own for the length of a command: `python -m tests.objects COMMAND...`.

It listens on a free port of this machine and is gone afterwards. The command finds a bucket in it by
`ASSAY_TEST_STORE`, and the store by the variables that all clients of the protocol read. Within `tests.network` it is
there for the machines.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests import around, network

VARIABLE = "ASSAY_TEST_STORE"
BUCKET = "assay-test"
PYTHON = Path(".venv/objects/bin/python")


@contextmanager
def server() -> Iterator[dict[str, str]]:
    """Run a server with an empty bucket, and yield the variables by which it is found."""
    if not PYTHON.exists():
        sys.exit("There is no object store for tests on this machine: make .venv/objects/installed")
    address = network.found().address
    command = [str(PYTHON), "tests/object_server.py", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            url = f"http://{address}:{process.stdout.readline().strip()}"
            httpx.put(f"{url}/{BUCKET}", trust_env=False).raise_for_status()
            keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
            yield {VARIABLE: f"s3://{BUCKET}", "AWS_ENDPOINT_URL": url, **keys}
        finally:
            process.kill()


if __name__ == "__main__":
    with server() as variables:
        code = around.run(sys.argv[1:], variables)
    sys.exit(code)
