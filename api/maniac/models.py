"""The slugs by which models are called: a model of the settings, or that of a container."""

import re
from typing import Final, NamedTuple

from api.http.state import State
from api.maniac.lists import find_container
from store.db.entities import Entity

CONTAINER_SLUG: Final = re.compile(r"maniac[:/](.+)", re.DOTALL)


class Called(NamedTuple):
    """The name of a model, and the container that says how it is asked."""

    model: str
    container: Entity | None


def called(state: State, slug: str) -> Called:
    """Return what a slug stands for: `maniac:LABEL` for the model of a container, else the model of that name.

    Raises NotFound for a container that is not there, and for a model that the settings have no URL for.
    """
    match = CONTAINER_SLUG.fullmatch(slug)
    container = find_container(state, match[1]) if match else None
    model = str(container.body["initial_model"]) if container else slug
    state.forwarder.route(model)
    return Called(model, container)
