"""Where the settings say that results and files lie."""

from pathlib import Path

from core.errors import Misconfigured
from core.settings import Settings
from store.objects.disk import DISK
from store.objects.objects import Objects


def open_objects(settings: Settings) -> Objects:
    """Return the place of a home's results and files: the home itself, or the bucket that ASSAY_STORE names.

    Raises Misconfigured if that needs what is not installed, or not set.
    """
    if settings.store is None:
        return DISK
    if settings.secret_key is None:
        raise Misconfigured(
            f"ASSAY_STORE is {settings.store}, for which ASSAY_SECRET_KEY must be set, to the same text for all "
            "processes: a home has no folder in common with the others in which a key could lie"
        )
    return place_of(settings.store, settings.home)


def place_of(store: str | None, home: Path) -> Objects:
    """Return the place that a value of ASSAY_STORE names. Raises Misconfigured."""
    if store is None:
        return DISK
    try:
        from store.objects.bucket import Bucket
    except ModuleNotFoundError as error:
        raise Misconfigured("ASSAY_STORE needs the extra: pip install 'assay-evals[s3]'") from error
    return Bucket.at(store, home)
