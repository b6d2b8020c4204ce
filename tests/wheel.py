"""Whether a wheel holds every file of the application: `python -m tests.wheel FILE.whl`, from the checkout."""

import subprocess
import sys
import zipfile

FOLDERS = ("core", "store", "tasks", "flows", "api", "web", "cli")


def left_out(wheel: str) -> list[str]:
    """Return the files of the application's folders that are not in the wheel."""
    kept = subprocess.run(["git", "ls-files", *FOLDERS], check=True, capture_output=True, text=True)
    with zipfile.ZipFile(wheel) as packed:
        return sorted(set(kept.stdout.split()) - set(packed.namelist()))


if __name__ == "__main__":
    if missing := left_out(sys.argv[1]):
        sys.exit(f"{sys.argv[1]} lacks {', '.join(missing)}")
