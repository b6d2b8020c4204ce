"""The `assay` command: what each word does."""

import sys

from cyclopts import App
from pydantic import ValidationError

from core.settings import Settings

app = App(name="assay", help="A self-hosted evaluation service for language models.", version_flags=["--version"])


def settings() -> Settings:
    """Read the settings; ends the command with code 2 if they are wrong."""
    try:
        return Settings()
    except (ValidationError, OSError) as error:
        reasons = [each["msg"] for each in error.errors()] if isinstance(error, ValidationError) else [str(error)]
        print("\n".join(reason.removeprefix("Value error, ") for reason in reasons), file=sys.stderr)
        sys.exit(2)


def say(text: str) -> None:
    """Tell the user something, at once."""
    print(text, flush=True)


@app.command
def serve() -> int:
    """Run the service: Prefect server, worker and API, until it is stopped."""
    from cli.serve import serve as run_service

    return run_service(settings(), say)


@app.command
def migrate() -> int:
    """Bring the job tables up to date; `assay serve` does so by itself."""
    from store.workspace import Workspace

    Workspace.open(settings(), migrating=True)
    say("The tables are up to date.")
    return 0


@app.command
def demo() -> int:
    """Run a whole evaluation against a scripted model on this machine, and show its results."""
    from cli.demo import demo as run_demo

    return run_demo(settings(), say)


def main() -> None:
    """Run the command of this process's arguments, and exit with its code."""
    sys.exit(app())
