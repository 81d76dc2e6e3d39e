"""Model versions on disk, their history, and which one serves.

`models/<version>/` is written once; `models/history.jsonl` only ever grows, and the champion is
the last promotion in it.
"""

import fcntl
import getpass
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tasks.errors import DigitflowError, ModelError
from tasks.files import sha256, whole_file, write_text

ONNX_FILE = "model.onnx"
KERAS_FILE = "model.keras"
CARD_FILE = "card.json"
HISTORY_FILE = "history.jsonl"
READY = Path(__file__).parent / "ready_model"  # ships with the package
Action = Literal["promote", "refuse"]


@dataclass(frozen=True)
class Version:
    """One registered model: its folder and its card."""

    folder: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the name of the version."""
        return str(self.card["version"])

    @property
    def onnx(self) -> Path:
        """Return the file that serves."""
        return self.folder / ONNX_FILE

    @property
    def accepted(self) -> bool:
        """Tell whether the gate accepted it."""
        return bool(self.card["verdict"]["accepted"])


class Registry:
    """The models below one folder."""

    def __init__(self, folder: Path) -> None:
        """Take the `models` folder; it is made at the first registration."""
        self.folder = folder

    def register(self, card: dict[str, Any], onnx: Path, keras: Path) -> Version:
        """Copy a candidate with its card into `models/<card version>/`, whole or not at all.

        Raises:
            DigitflowError: the version is there already.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / card["version"]
        building = Path(tempfile.mkdtemp(dir=self.folder, prefix=".writing-"))
        try:
            files = {ONNX_FILE: onnx, KERAS_FILE: keras}
            for name, source in files.items():
                shutil.copyfile(source, building / name)
            card = {**card, "files": {name: sha256(building / name) for name in files}}
            write_text(building / CARD_FILE, json.dumps(card, indent=2) + "\n")
            building.chmod(0o755)
            if target.exists():
                raise DigitflowError(f"model version {target.name} is already registered")
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return Version(target, card)

    def versions(self) -> list[Version]:
        """Return every registered version, oldest first."""
        cards = sorted(self.folder.glob(f"[!.]*/{CARD_FILE}"))
        return [Version(card.parent, json.loads(card.read_text())) for card in cards]

    def load(self, name: str) -> Version:
        """Return a version whose files are what its card says.

        Raises:
            ModelError: there is no such version, or a file was changed.
        """
        folder = self.folder / name
        if Path(name).name != name or not (folder / CARD_FILE).is_file():
            known = ", ".join(version.name for version in self.versions()) or "none"
            raise ModelError(f"no model version {name!r} in {self.folder}; there is: {known}")
        return _verified(folder)

    def champion(self) -> Version | None:
        """Return the version that serves, or None before the first promotion."""
        promotions = [entry for entry in self.history() if entry["action"] == "promote"]
        return self.load(promotions[-1]["version"]) if promotions else None

    def promote(self, version: Version, reason: str) -> None:
        """Let an accepted version serve, from the next reading on.

        Raises:
            ModelError: the gate did not accept this version.
        """
        if not version.accepted:
            raise ModelError(f"{version.name} did not pass the gate and cannot be promoted")
        self.record("promote", version, reason)

    def record(self, action: Action, version: Version, reason: str) -> None:
        """Append one line to the history; the line is whole, also with two writers at once."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "actor": _actor(),
            "action": action,
            "version": version.name,
            "reason": reason,
        }
        path = self.folder / HISTORY_FILE
        with path.open("ab+") as history:
            fcntl.flock(history, fcntl.LOCK_EX)
            history.seek(0)
            written = history.read()
            history.truncate(written.rfind(b"\n") + 1)  # a full disk can leave a part of a line
            history.write(json.dumps(entry).encode() + b"\n")
            history.flush()
            os.fsync(history.fileno())

    def history(self) -> list[dict[str, str]]:
        """Return every entry, oldest first."""
        path = self.folder / HISTORY_FILE
        if not path.is_file():
            return []
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]  # else: being written


def _verified(folder: Path) -> Version:
    version = Version(folder, json.loads((folder / CARD_FILE).read_text()))
    for file, expected in version.card["files"].items():
        if not (folder / file).is_file() or sha256(folder / file) != expected:
            raise ModelError(
                f"{folder / file} is not the file that was registered (its SHA-256 should be "
                f"{expected}): restore it, or train and promote another version"
            )
    return version


def ready_model() -> Version | None:
    """Return the version that ships with the package, or None in a package without one.

    Raises:
        ModelError: its file was changed.
    """
    return _verified(READY) if (READY / CARD_FILE).is_file() else None


def ship(version: Version) -> None:
    """Make an accepted version the one that ships: its ONNX file and its card, without Keras.

    Raises:
        ModelError: the gate did not accept it.
    """
    if not version.accepted:
        raise ModelError(f"{version.name} did not pass the gate and cannot ship")
    files = {ONNX_FILE: version.card["files"][ONNX_FILE]}
    with whole_file(READY / ONNX_FILE) as temporary:
        shutil.copyfile(version.onnx, temporary)
    write_text(READY / CARD_FILE, json.dumps({**version.card, "files": files}, indent=2) + "\n")


def serving(registry: Registry) -> Version | None:
    """Return the version that reads: the champion, or what ships with the package before one."""
    return registry.champion() or ready_model()


def find_onnx(model: str, registry: Registry) -> Path:
    """Return the ONNX file that `--model` means: `champion`, a version's name, or a path.

    The champion is the version that ships with the package until another is promoted.

    Raises:
        ModelError: there is no such model, or no champion yet.
    """
    if model == "champion":
        champion = serving(registry)
        if champion is None:
            raise ModelError(
                f"no champion yet in {registry.folder}: run `digitflow train` (some 15 minutes), "
                "or give a model with --model FILE.onnx"
            )
        return champion.onnx
    if model.endswith(".onnx"):
        path = Path(model).expanduser().absolute()
        if not path.is_file():
            raise ModelError(f"no file {path}")
        return path
    ready = ready_model()
    return ready.onnx if ready and model == ready.name else registry.load(model).onnx


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
