"""What the requests of all faces hold: JSON, and texts without NUL, which Postgres keeps in no column."""

from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import StringConstraints

JsonDict = dict[str, Any]

NO_NUL: Final = r"^[^\x00]*$"

Text = Annotated[str, StringConstraints(pattern=NO_NUL)]
PathText = Annotated[str, Path(pattern=NO_NUL)]
QueryText = Annotated[str, Query(pattern=NO_NUL)]
