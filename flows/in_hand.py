"""How many shards of a job are on their way at a time: enough to keep its calls in flight, and no more."""

from threading import Condition

from core.plan import Shard, has_room


class InHand:
    """The shards that are on their way through both stages; they are added and removed from several threads."""

    def __init__(self, parallelism: int, trials: int) -> None:
        """Begin with none; so many calls may be made at once, and each sample takes so many trials."""
        self._parallelism, self._trials = parallelism, trials
        self._sizes: dict[int, int] = {}
        self._changed = Condition()

    def wait_for_room(self) -> None:
        """Wait until one more shard may be begun."""
        with self._changed:
            self._changed.wait_for(lambda: has_room(self._sizes.values(), self._parallelism, self._trials))

    def add(self, shard: Shard) -> None:
        """Have a shard on its way."""
        with self._changed:
            self._sizes[shard.index] = len(shard)

    def remove(self, shard: Shard, _judged: object = None) -> None:
        """Take note that a shard has ended, in whatever way."""
        with self._changed:
            self._sizes.pop(shard.index, None)
            self._changed.notify_all()
