"""What a metric says of a text that is not of the form it needs."""


class Unparsable(Exception):
    """A text cannot be read as the metric needs it; `part` names the template that gave it."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part
