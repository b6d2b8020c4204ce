"""Together's wire classes of files and uploads, and of who is asking."""

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    BaseModel,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from api.http.uploads import Checksum, FileName

Purpose = Literal["fine-tune", "batch-api", "batch-generated", "eval", "eval-sample", "eval-output", "eval-summary"]
LISTED: Final[tuple[Purpose, ...]] = ("fine-tune", "batch-api", "eval", "eval-output")
"""The purposes that the oldest client knows; any other in a list is an error to it."""

FileType = Literal["jsonl", "csv", "parquet"]

MAX_PARTS: Final = 10_000


class Announced(BaseModel):
    """What is said of a file: `checksum` is the sha256 of its content, `file_type` by default the name's ending."""

    purpose: Purpose
    file_name: FileName
    file_type: FileType
    checksum: Checksum | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_a_type(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or fields.get("file_type"):
            return fields
        ending = str(fields.get("file_name")).rpartition(".")[2].lower()
        return fields | {"file_type": ending} if ending in get_args(FileType) else fields


class AnnouncedParts(Announced):
    """What is said of a file that comes in parts."""

    file_size: Annotated[int, Field(ge=1, lt=2**63)]
    num_parts: Annotated[int, Field(ge=1, le=MAX_PARTS)]

    @field_validator("num_parts")
    @classmethod
    def _are_filled(cls, parts: int, info: ValidationInfo) -> int:
        if parts > info.data.get("file_size", parts):
            raise ValueError(f"{info.data['file_size']} bytes do not fill {parts} parts")
        return parts


class FileObject(BaseModel):
    """A file; one that was announced and has not come is not `Processed`."""

    id: str
    object: Literal["file"] = "file"
    created_at: int
    type: None = None
    purpose: str
    filename: str
    bytes: int
    line_count: Annotated[int, Field(serialization_alias="LineCount")]
    processed: Annotated[bool, Field(serialization_alias="Processed")]
    file_type: Annotated[str, Field(serialization_alias="FileType")]


class FileList(BaseModel):
    """The files, the newest first."""

    object: Literal["list"] = "list"
    data: list[FileObject]


class FileDeleted(BaseModel):
    """What became of a file."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class PartURL(BaseModel):
    """Where a part of a file is put, counted from 1."""

    part_number: Annotated[int, Field(serialization_alias="PartNumber")]
    url: Annotated[str, Field(serialization_alias="URL")]
    headers: Annotated[dict[str, str], Field(serialization_alias="Headers")] = {}


class PartsAwaited(BaseModel):
    """Where the parts of a file are put."""

    upload_id: str
    file_id: str
    parts: list[PartURL]


class UploadNamed(BaseModel):
    """An upload in parts."""

    upload_id: str
    file_id: str


class PartSent(BaseModel):
    """A part, and the ETag with which it was answered."""

    part_number: Annotated[int, Field(ge=1, le=MAX_PARTS)]
    etag: str


class PartsSent(UploadNamed):
    """All parts of a file."""

    parts: Annotated[list[PartSent], Field(max_length=MAX_PARTS)]


class FileCompleted(BaseModel):
    """A file that came in parts."""

    file: FileObject


class UploadAborted(BaseModel):
    """An upload that is awaited no longer."""

    file_id: str
    aborted: Literal[True] = True


class Named(BaseModel):
    """A thing with an id and a name."""

    id: str = "local"
    name: str = "local"


class Project(Named):
    """A project."""

    slug: str = "local"


class ApiKey(BaseModel):
    """A key, by its id."""

    id: str = "local"


class Whoami(BaseModel):
    """Who is asking: there is one project here, and whoever may ask is in it."""

    type: Literal["project_api_key"] = "project_api_key"
    api_key: ApiKey = ApiKey()
    organization: Named = Named()
    project: Project = Project()


class WhoamiV1(Whoami):
    """The same, also as the second generation of the client reads it."""

    api_key_id: str = ApiKey().id
    organization_id: str = Named().id
    organization_name: str = Named().name
    project_id: str = Project().id
    project_name: str = Project().name
    project_slug: str = Project().slug
