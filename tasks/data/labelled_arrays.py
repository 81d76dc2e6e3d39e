"""Labelled digits in IDX files or in an .npz, by the names that people give them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data import array_forms, idx, npz
from tasks.data.labelled import (
    TEST,
    TRAIN,
    VAL,
    Labelled,
    Labels,
    part_named,
    tested_part,
)
from tasks.decoding.pixels import Pixels
from tasks.errors import DatasetError

NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")  # as in Keras's mnist.npz
# what arrays are called in other programs, in small letters
MEANINGS = {
    "x": ("x", "images", "image", "pictures", "pixels", "data"),
    "y": ("y", "labels", "label", "targets", "target"),
}
# MNIST's names, and EMNIST's, which begin with the set: emnist-digits-train-images-idx3-ubyte
IDX_NAME = re.compile(
    r"(?:(?P<set>.+)-)?(?P<part>train|t10k|test)-(?:images|labels)[-.]idx[13]-ubyte(?:\.gz)?"
)
TEST_PARTS = ("t10k", "test")  # MNIST's and EMNIST's
BARE = ""  # the part of arrays whose names say none

Found = tuple[Pixels, Labels]
Conversions = list[tuple[str, str]]  # name of an array, and what was converted, in words


def is_idx_folder(folder: Path) -> bool:
    """Tell whether a folder holds a file that is named as MNIST's or EMNIST's are."""
    return bool(_idx_names(folder))


def _idx_names(folder: Path) -> list[re.Match[str]]:
    return [found for entry in folder.iterdir() if (found := IDX_NAME.fullmatch(entry.name))]


def read_idx(folder: Path) -> Labelled:
    """Return the pictures of MNIST's four IDX files, or of one set of EMNIST's; plain or gzip.

    Raises:
        DatasetError: a file is missing or damaged, or those of several sets are there.
    """
    names = _idx_names(folder)
    sets = sorted({found["set"] or "" for found in names})
    tests = [part for part in TEST_PARTS if part in {found["part"] for found in names}]
    if len(sets) > 1 or len(tests) > 1:
        several = sets if len(sets) > 1 else tests
        raise DatasetError(
            f"data {folder}: holds several sets ({', '.join(map(repr, several))}): put the four "
            "files of one into a folder of its own"
        )
    said = Conversions()
    start = f"{sets[0]}-" if sets[0] else ""
    train, test = (
        _idx_part(folder, f"{start}{part}", said) for part in ("train", *(tests or TEST_PARTS)[:1])
    )
    labelled = joined(train, test, name=folder.name, source=str(folder))
    return replace(
        labelled, converted=(*([f"the files of {sets[0]}"] if start else []), *told(said))
    )


def read_npz(path: Path) -> Labelled:
    """Return the pictures of an .npz as Keras makes it, or as other programs do; never unpickles.

    Raises:
        DatasetError: no arrays are named as pictures and labels, or one is none.
    """
    members = npz.names(path)
    parts = _parts(members, path)
    pictures, chosen = (
        {x for x, _ in parts.values()},
        [name for pair in parts.values() for name in pair],
    )

    def check(name: str, form: npz.Form) -> None:
        require = array_forms.require_pictures if name in pictures else array_forms.require_labels
        require(form, f"{path}, {name}")

    arrays, said = npz.read(path, chosen, check), Conversions()
    found = {
        part: checked((arrays[x], f"{path}, {x}"), (arrays[y], f"{path}, {y}"), said)
        for part, (x, y) in parts.items()
    }
    tested, decided = tested_part([part or TRAIN for part in parts], path)
    left = [name for name in members if name not in chosen]
    of_parts = [np.full(len(labels), part == tested) for part, (_, labels) in found.items()]
    return Labelled(
        name=path.stem,
        source=str(path),
        licence="not stated",
        images=np.concatenate([images for images, _ in found.values()]),
        labels=np.concatenate([labels for _, labels in found.values()]),
        test=np.concatenate(of_parts) if tested else None,
        converted=(*told(said), *decided, *([f"left out: {', '.join(left)}"] if left else [])),
    )


def _parts(members: Sequence[str], path: Path) -> dict[str, tuple[str, str]]:
    """Return the names of pictures and labels of each part, by which part.

    Raises:
        DatasetError: one of them is missing, or there twice.
    """
    named = dict[str, dict[str, str]]()
    for name in members:
        if meant := _meant(name):
            part, what = meant
            if what in (known := named.setdefault(part, {})):
                raise DatasetError(f"{path}: {known[what]} and {name} are both the same: leave one")
            known[what] = name
    if set(named) != {BARE}:
        named.pop(BARE, None)
        named.setdefault(TRAIN, {})
    missing = [
        f"{w}_{part or TRAIN}" for part, pair in named.items() for w in "xy" if w not in pair
    ]
    if missing:
        raise DatasetError(
            f"{path}: expected arrays {', '.join(NPZ_NAMES)}; missing: {missing}, there is: "
            f"{', '.join(members) or 'none'}"
        )
    order = [part for part in (BARE, TRAIN, VAL, TEST) if part in named]
    return {part: (named[part]["x"], named[part]["y"]) for part in order}


def _meant(name: str) -> tuple[str, str] | None:
    """Return part and kind, x or y, that the name of an array says, or None."""
    words = [word for word in re.split(r"[_\W]+", name.casefold()) if word]
    parts = [part for word in words if (part := part_named(word))]
    kinds = [what for word in words for what, known in MEANINGS.items() if word in known]
    if len(kinds) != 1 or len(parts) > 1 or len(parts) + 1 != len(words):
        return None
    return (parts[0] if parts else BARE), kinds[0]


def checked(
    images: tuple[NDArray[Any], str | Path],
    labels: tuple[NDArray[Any], str | Path],
    said: Conversions | None = None,
) -> Found:
    """Return pictures and their labels, once they are known to be digits.

    Args:
        images: see `array_forms.pictures`, and what errors call them.
        labels: see `array_forms.labels`, and what errors call them.
        said: what was converted is added.

    Raises:
        DatasetError: they are none, not as many, or dark on light.
    """
    (_, images_from), (_, labels_from) = images, labels
    (pictures, of_images), (digits, of_labels) = (
        array_forms.pictures(*images),
        array_forms.labels(*labels),
    )
    if len(pictures) != len(digits):
        more = "labels than pictures" if len(digits) > len(pictures) else "pictures than labels"
        raise DatasetError(
            f"{labels_from}: more {more}: {len(digits)} labels for the {len(pictures)} pictures "
            f"of {images_from}"
        )
    if len(pictures) and pictures.mean() > 127:
        raise DatasetError(
            f"{images_from}: expected bright ink on 0, found a mean of {pictures.mean():.0f} of "
            "255; invert the pictures: save 255 - x"
        )
    if said is not None:
        said += [(str(images_from), what) for what in of_images]
        said += [(str(labels_from), what) for what in of_labels]
    return pictures, digits


def told(said: Conversions) -> tuple[str, ...]:
    """Return each conversion once, with the arrays that it was made in, without their folder."""
    names = dict[str, list[str]]()
    for name, what in said:
        names.setdefault(what, []).append(name.rpartition(", ")[2].rpartition("/")[2])
    return tuple(f"{', '.join(some)}: {what}" for what, some in names.items())


def joined(
    train: Found,
    test: Found,
    *,
    name: str,
    source: str,
    licence: str = "not stated",
) -> Labelled:
    """Return a source that comes in a training and a test part, in this order."""
    return Labelled(
        name=name,
        source=source,
        licence=licence,
        images=np.concatenate([train[0], test[0]]),
        labels=np.concatenate([train[1], test[1]]),
        test=np.arange(len(train[1]) + len(test[1])) >= len(train[1]),
    )


def _idx_part(folder: Path, part: str, said: Conversions) -> Found:
    images, labels = _idx_file(folder, f"{part}-images", 3), _idx_file(folder, f"{part}-labels", 1)
    return checked(
        (idx.parse(idx.read_bytes(images), 3, images), images),
        (idx.parse(idx.read_bytes(labels), 1, labels), labels),
        said,
    )


def _idx_file(folder: Path, stem: str, dimensions: int) -> Path:
    """Return the IDX file with this stem, plain before gzip; both spellings are about."""
    names = [f"{stem}{dot}idx{dimensions}-ubyte{gz}" for gz in ("", ".gz") for dot in "-."]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(f"data {folder}: expected four IDX files, found no {names[0]} (or .gz)")
