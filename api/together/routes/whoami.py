"""Who is asking: the command line wants to know before every command."""

from fastapi import APIRouter

from api.together.schema.files import Whoami, WhoamiV1

router = APIRouter(tags=["Together"])


@router.get("/v1/whoami")
def whoami_v1() -> WhoamiV1:
    """Return the one project that there is here; keys have no owners."""
    return WhoamiV1()


@router.get("/v3/whoami")
def whoami() -> Whoami:
    """Return the one project that there is here; keys have no owners."""
    return Whoami()
