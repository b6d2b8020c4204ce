from typing import Any

import pytest

from tasks.templates.images import image_urls, with_images

PNG = "data:image/png;base64,iVBORw0KGgo="
SVG = "data:image/svg+xml;base64,PHN2Zy8+"


def shown(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("value", "urls"), [(None, []), ("", []), ([], []), (PNG, [PNG]), ([PNG, SVG], [PNG, SVG]), ([SVG], [SVG])]
)
def test_a_column_holds_one_image_or_a_list_or_none(value: object, urls: list[str]) -> None:
    assert image_urls(value) == urls
    assert with_images([{"role": "user", "content": "look"}], image_urls(value))[0]["role"] == "user"


@pytest.mark.parametrize(
    "value",
    [
        "https://example.com/cat.png",
        "http://127.0.0.1/cat.png",
        "data:text/html;base64,PGI+",
        "data:image/png,raw",
        "data:image/;base64,eA==",
        "iVBORw0KGgo=",
        7,
        {"url": PNG},
        [PNG, "https://example.com/cat.png"],
        [None],
        "x" * 10_000,
    ],
)
def test_anything_else_is_refused_with_its_beginning(value: object) -> None:
    with pytest.raises(ValueError, match="is no image; give a data URL") as refused:
        image_urls(value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("look", [{"type": "text", "text": "look"}]),
        ("", []),
        (None, []),
        ([{"type": "text", "text": "a"}, shown(SVG)], [{"type": "text", "text": "a"}, shown(SVG)]),
    ],
)
def test_images_stand_after_what_the_user_said(content: object, parts: list[Any]) -> None:
    messages = [{"role": "user", "content": content, "name": "ada"}]
    assert with_images(messages, [PNG]) == [{"role": "user", "content": [*parts, shown(PNG)], "name": "ada"}]
    assert messages == [{"role": "user", "content": content, "name": "ada"}]


def test_images_go_with_the_last_message_of_the_user() -> None:
    first, answer, last = ({"role": role, "content": role} for role in ("user", "assistant", "user"))
    told = with_images([first, answer, last, {"role": "assistant", "content": "So"}], [PNG])
    assert [isinstance(message["content"], list) for message in told] == [False, False, True, False]
    with pytest.raises(ValueError, match="no message of the user"):
        with_images([answer, "odd"], [PNG])
