"""What the requests of all faces hold: JSON, and texts without NUL, which Postgres keeps in no column."""

from typing import Annotated, Any, Final

from fastapi import Path, Query

from core.patterns import Like

JsonDict = dict[str, Any]

NO_NUL: Final = Like(r"^[^\x00]*$", "it has a NUL character (\\x00): leave that out")

Text = Annotated[str, NO_NUL]
PathText = Annotated[str, Path(), NO_NUL]
QueryText = Annotated[str, Query(), NO_NUL]
ItemColumn = Annotated[str, Like(r"^item\.[^\x00]+$", "name a column of the dataset, as item.COLUMN")]
