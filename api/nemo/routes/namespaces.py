"""The namespaces of NeMo's entity store, which this service does not keep: they are names, and need not be created."""

from fastapi import APIRouter, HTTPException

router = APIRouter(prefix="/v1/namespaces", tags=["NeMo platform"])


@router.get("", include_in_schema=False)
@router.post("", include_in_schema=False)
@router.get("/{path:path}", include_in_schema=False)
@router.delete("/{path:path}", include_in_schema=False)
def refuse(path: str = "") -> None:
    """Refuse with what to do instead."""
    raise HTTPException(
        501,
        "this service has no entity store: a namespace is part of a name, and nothing has to be created before; "
        "datasets are read below ASSAY_DATASETS or from the hub by their hf:// URL",
    )
