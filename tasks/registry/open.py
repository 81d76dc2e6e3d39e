"""Where the model versions of a place are kept: which kind of store that is."""

from tasks.atomic import absolute
from tasks.errors import InputError
from tasks.registry.folder_store import ModelFolder
from tasks.registry.store import ModelStore
from tasks.settings.base import SEEN, home


def open_models(place: str) -> ModelStore:
    """Return what keeps the versions of a place; a bucket is not asked for anything yet.

    Raises:
        InputError: it is a URL, but none of a bucket.
    """
    if place.startswith("s3://"):
        from tasks.registry.bucket_store import ModelBucket  # libraries that few need

        return ModelBucket(place, home() / "cache" / "models", home() / SEEN)
    if "://" in place:
        raise InputError(
            f"models cannot be kept in {place}: DIGITFLOW_MODELS is a folder or s3://BUCKET/FOLDER"
        )
    return ModelFolder(absolute(place), home() / SEEN)
