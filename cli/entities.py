"""`assay targets` and `assay configs`: what is stored for runs, forms and schedules to name, in NeMo's words."""

from pathlib import Path
from typing import Any, Final, Literal

import yaml
from cyclopts import App

from cli import terminal
from cli.client import Client, JsonDict, Refused, path_to
from cli.output import AsJson, put
from cli.tables import plain_view
from core.errors import InvalidInput

Kind = Literal["targets", "configs"]

STORED: Final = "/v1/evaluation/"
COLUMNS: Final = {"targets": ("type", "model", "project"), "configs": ("type", "tasks", "project")}


def entity_app(kind: Kind) -> App:
    """Return the commands of targets, or of configs."""
    app = App(name=kind, help=f"List, show, store and delete {kind} that runs, forms and schedules can name.")
    thing = kind.removesuffix("s")

    def list_all(*, limit: int = 100, as_json: AsJson = False) -> int:
        return _list(kind, limit, as_json=as_json)

    def show(name: str, *, as_json: AsJson = False) -> int:
        return _show(_one("GET", kind, name), as_json=as_json)

    def create(file: Path, *, name: str | None = None) -> int:
        return _create(kind, file, name)

    def delete(name: str) -> int:
        _one("DELETE", kind, name)
        return 0

    app.command(list_all, name="list", help=f"List the stored {kind}.")
    app.command(show, help=f"Show a {thing}, called NAMESPACE/NAME; its keys are masked.")
    app.command(create, help=f"Store the {thing} that a YAML or JSON file describes; a key in it is named by env:NAME.")
    app.command(delete, help=f"Delete a {thing}, called NAMESPACE/NAME; jobs keep what they have of it.")
    return app


def _list(kind: Kind, limit: int, *, as_json: bool) -> int:
    found = Client().ask("GET", STORED + kind, params={"page_size": limit, "sort": "-created_at"})["data"]
    if as_json:
        terminal.say_json(found, indent=2)
    else:
        rows = [(_name(each), *(_told(each.get(column)) for column in COLUMNS[kind])) for each in found]
        put(plain_view(("name", *COLUMNS[kind]), rows))
    return 0


def _show(found: JsonDict, *, as_json: bool) -> int:
    if as_json:
        terminal.say_json(found, indent=2)
    else:
        terminal.say(yaml.safe_dump(found, allow_unicode=True, sort_keys=False).rstrip())
    return 0


def _create(kind: Kind, file: Path, name: str | None) -> int:
    from cli.specs import read_body, with_sent_files

    body = read_body(file)
    if name:
        body["namespace"], body["name"] = _split(name)
    client = Client()
    body = with_sent_files(body, file.parent, client)
    terminal.say(_name(client.ask("POST", STORED + kind, json=body)))
    return 0


def _one(method: str, kind: Kind, name: str) -> JsonDict:
    """Ask for what is stored under a name. Raises Refused, which names it if there is none."""
    namespace, own = _split(name)
    try:
        return Client().ask(method, path_to(STORED + kind, namespace, own))
    except Refused as error:
        if error.status != 404:
            raise
        told = f"there is no {kind.removesuffix('s')} {namespace}/{own}; `assay {kind} list` names those there are"
        raise Refused(told, error.status) from None


def _split(name: str) -> tuple[str, str]:
    """Return the namespace and the name of what is called so. Raises InvalidInput."""
    namespace, _, own = name.rpartition("/")
    if not own or "/" in namespace:
        raise InvalidInput(f"{name!r} is no name; write NAMESPACE/NAME, or NAME of the namespace default")
    return namespace or "default", own


def _name(entity: JsonDict) -> str:
    return f"{entity['namespace']}/{entity['name']}"


def _told(value: Any) -> object:
    """Return a part of an entity in few words: the name of a model, those of tasks."""
    match value:
        case {"api_endpoint": {"model_id": name}}:
            return name
        case dict():
            return ", ".join(value)
    return value
