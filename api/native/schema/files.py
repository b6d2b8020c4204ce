"""What is shown of uploads."""

from datetime import datetime

from pydantic import BaseModel


class File(BaseModel):
    """An upload, which a specification names as `file:ID`; `sha256` is that of its content."""

    id: str
    filename: str
    bytes: int
    line_count: int
    sha256: str
    created_at: datetime


class Files(BaseModel):
    """The uploads that are asked for, the newest first."""

    data: list[File]
