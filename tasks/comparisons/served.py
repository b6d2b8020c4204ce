"""Which models answered, by what their answers say: a name stands for other weights from one month to the next."""

from collections.abc import Iterator, Sequence
from typing import Final

import orjson

from core.plan import Shard
from core.spec import ModelTarget
from store.results.scan import read_responses
from tasks.comparisons.sides import Side

MOST_READ: Final = 8
"""So many shards are looked at, from the first to the last: answers are long, and there may be many."""

Served = dict[str, list[str]]
"""The models and fingerprints that were named, by target."""


def served_as(side: Side) -> Served:
    """Return what the answers of the evaluated target and of the reference name, without those that name nothing."""
    spec = side.manifest.spec
    asked = [
        each.name
        for each in spec.targets
        if isinstance(each, ModelTarget) and each.name in (side.target, spec.reference)
    ]
    finished = [shard for shard in side.manifest.shards if side.folder.is_finished("generate", shard)]
    named: dict[str, set[str]] = {name: set() for name in asked}
    for shard in _spread(finished) if asked else ():
        for target, name in _named(side, shard):
            if target in named:
                named[target].add(name)
    return {target: sorted(names) for target, names in named.items() if names}


def _spread(shards: Sequence[Shard]) -> Sequence[Shard]:
    last = len(shards) - 1
    places = range(len(shards)) if last < MOST_READ else (last * i // (MOST_READ - 1) for i in range(MOST_READ))
    return [shards[place] for place in places]


def _named(side: Side, shard: Shard) -> Iterator[tuple[str, str]]:
    parts = side.folder.parts(shard)
    for target, response in (said for part in parts for said in set(read_responses(side.folder, part))):
        try:
            body = orjson.loads(response)
        except orjson.JSONDecodeError:
            continue  # an error page, or what is kept of a stream
        if isinstance(body, dict) and isinstance(body.get("model"), str):
            fingerprint = body.get("system_fingerprint")
            yield target, f"{body['model']} ({fingerprint})" if isinstance(fingerprint, str) else body["model"]
