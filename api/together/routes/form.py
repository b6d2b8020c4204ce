"""What comes with an upload: its fields, wherever a client puts them, and a file, which goes to disk as it comes."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.http.uploads import receive
from store.files.drafts import Draft

MAX_FIELDS: Final = 64_000
"""So many bytes the fields of a form may have together."""


@dataclass
class Form:
    """The fields of a form, and the name of the file in it if there is one, which may be empty."""

    fields: dict[str, str]
    filename: str | None = None


async def read_form(request: Request, draft: Draft) -> Form:
    """Read the fields of the query and of the body, in either form; a file in it goes to `draft`."""
    content_type, options = parse_options_header(request.headers.get("content-type"))
    form = Form(dict(request.query_params))
    match content_type:
        case b"multipart/form-data":
            await _read_parts(request, options.get(b"boundary", b""), form, draft)
        case b"application/x-www-form-urlencoded":
            text = _Text()
            await receive(request, text.write)
            form.fields.update(parse_qsl(text.take()))
    return form


async def _read_parts(request: Request, boundary: bytes, form: Form, draft: Draft) -> None:
    try:
        parts = _Parts(boundary, form, draft)
        await receive(request, parts.write)
    except FormParserError as error:
        raise HTTPException(400, f"The form cannot be read: {error}") from None
    if not parts.ended:
        raise HTTPException(400, "The form breaks off before its last boundary")


class _Text:
    """The bytes of texts, of which only so many may come in all."""

    def __init__(self) -> None:
        self._came = 0
        self._kept = bytearray()

    def write(self, data: bytes) -> None:
        self.count(data)
        self._kept += data

    def count(self, data: bytes) -> None:
        """Count what belongs to a text but is not kept."""
        self._came += len(data)
        if self._came > MAX_FIELDS:
            raise HTTPException(413, f"The fields of the form are longer than {MAX_FIELDS} bytes")

    def take(self) -> str:
        """Return what came since the last time."""
        taken = self._kept.decode(errors="replace")
        self._kept.clear()
        return taken


class _Parts:
    """The parts of a multipart body: any number of texts, and at most one file."""

    def __init__(self, boundary: bytes, form: Form, draft: Draft) -> None:
        self.ended = False
        self._form = form
        self._draft = draft
        self._text = _Text()
        self._header = self._value = self._disposition = b""
        self._field = ""
        self._in_file = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        self._text.count(self._disposition)
        _, options = parse_options_header(self._disposition)
        self._disposition = b""
        self._field = options.get(b"name", b"").decode(errors="replace")
        self._in_file = b"filename" in options
        if self._in_file:
            if self._form.filename is not None:
                raise HTTPException(400, "The form has two files; upload them one by one")
            self._form.filename = options[b"filename"].decode(errors="replace")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        (self._draft if self._in_file else self._text).write(data[start:end])

    def _on_part_end(self) -> None:
        if not self._in_file:
            self._form.fields[self._field] = self._text.take()

    def _on_end(self) -> None:
        self.ended = True
