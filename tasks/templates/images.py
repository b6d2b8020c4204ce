"""Images of a row, which go with a chat request as data URLs."""

import re
from collections.abc import Sequence
from typing import Any

_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,")
_SHOWN_CHARACTERS = 60


def image_urls(value: object) -> list[str]:
    """Return the data URLs that a column holds: one, a list of them, or none; raises ValueError for anything else."""
    if value is None or value == "":
        return []
    return [_image_url(url) for url in (value if isinstance(value, list) else [value])]


def _image_url(value: object) -> str:
    if isinstance(value, str) and _DATA_URL.match(value):
        return value
    shown = repr(value)[:_SHOWN_CHARACTERS]
    raise ValueError(f"{shown} is no image; give a data URL, data:image/<type>;base64,<data>, or a list of them")


def with_images(messages: Sequence[Any], urls: Sequence[str]) -> list[Any]:
    """Return the messages with images after the text of the user's last one; raises ValueError if there is none."""
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    for place in reversed(range(len(messages))):
        message = messages[place]
        if isinstance(message, dict) and message.get("role") == "user":
            whole = message | {"content": [*_parts(message.get("content")), *images]}
            return [*messages[:place], whole, *messages[place + 1 :]]
    raise ValueError("there is no message of the user that images could go with")


def _parts(content: object) -> list[Any]:
    """Return a message's content as a list of parts."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []
