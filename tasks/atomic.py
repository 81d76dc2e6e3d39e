"""Files written whole or not at all, that a lost machine keeps, and their hashes.

Who may read them is what the user's umask says, as for any other program.
"""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import InputError

# a folder that may be written but not listed, or of a network file system that does not know it
NO_SYNC = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder that becomes `path` when the block ends well.

    Readers see the old file or the new one, never a part; after a block that ended well also when
    the machine is lost. After an error nothing is left behind. A file that is replaced keeps its
    mode.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(8)}{path.suffix}")
    # the system applies the umask, which no thread can ask for without changing it for all
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        mode = stat.S_IMODE((path if path.is_file() else temporary).stat().st_mode)
        yield temporary
        temporary.chmod(mode)  # the block may have put another file in its place
        sync_file(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def absolute(path: Path | str) -> Path:
    """Return the absolute path, with the home of the user that `~` stands for.

    Raises:
        InputError: the system knows no home of that user.
    """
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise InputError(
            f"{path}: the home folder that ~ stands for is not known: give the whole path, or set "
            "HOME or DIGITFLOW_HOME"
        ) from None


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing; a lost machine keeps them."""
    missing = [made for made in (folder, *folder.parents) if not made.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def new_folder(parent: Path, prefix: str) -> Path:
    """Make and return a folder whose name no other has; the umask counts, as not in tempfile."""
    folder = parent / f"{prefix}{secrets.token_hex(8)}"
    folder.mkdir()
    return folder


def sync_file(path: Path) -> None:
    """Return when the bytes of a file are on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk: what was made, renamed or deleted."""
    try:
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def sync_tree(folder: Path) -> None:
    """Return when a folder and everything in it is on the disk."""
    for inside, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(inside, name))
        sync_folder(Path(inside))


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole; what cannot be encoded (odd file names) is written escaped."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
