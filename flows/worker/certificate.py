"""The certificates that clients of Prefect load."""

from pathlib import Path

import certifi

from store.files.atomic import make_private


def one_certificate(home: Path) -> Path:
    """Return a bundle of one certificate, for clients that speak plain HTTP alone.

    Prefect makes a client for each run of a task and loads the whole bundle each time: 20 ms.
    """
    path, end = home / "run" / "one-certificate.pem", "-----END CERTIFICATE-----\n"
    make_private(path, certifi.contents().partition(end)[0] + end)
    return path
