"""Model versions on disk, their history, and which one serves.

`models/<version>/` is written once; `models/history.jsonl` only ever grows, and the champion is
the version that its promotions and rollbacks end with.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import history
from tasks.card import CARD_DIGEST, read_card, sealed
from tasks.errors import DigitflowError, GateRefused, InputError, ModelError
from tasks.files import sha256, whole_file, write_text

ONNX_FILE = "model.onnx"
KERAS_FILE = "model.keras"
CARD_FILE = "card.json"
HISTORY_FILE = "history.jsonl"
READY = Path(__file__).parent / "ready_model"  # ships with the package

Recheck = Callable[["Version"], object]  # raises if a version must not serve


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
        self._history = folder / HISTORY_FILE

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
            card = sealed({**card, "files": {name: sha256(building / name) for name in files}})
            write_text(building / CARD_FILE, json.dumps(card, indent=2) + "\n")
            building.chmod(0o755)
            if target.exists():
                raise DigitflowError(f"model version {target.name} is already registered")
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        self.record(
            "register", target.name, "a candidate", evidence={CARD_DIGEST: card[CARD_DIGEST]}
        )
        return Version(target, card)

    def versions(self) -> list[Version]:
        """Return every registered version, oldest first; only `load` verifies one."""
        cards = sorted(self.folder.glob(f"[!.]*/{CARD_FILE}"))
        return [Version(card.parent, read_card(card)) for card in cards]

    def load(self, name: str) -> Version:
        """Return a version whose files are what its card says, and whose card is as registered.

        Raises:
            ModelError: there is no such version, or a file was changed.
        """
        folder = self.folder / name
        if Path(name).name != name or not (folder / CARD_FILE).is_file():
            ready = ready_model()
            if ready and ready.name == name:
                return ready
            known = ", ".join(version.name for version in self.versions()) or "none"
            raise ModelError(f"no model version {name!r} in {self.folder}; there is: {known}")
        version = verified(folder)
        registered = [
            entry["evidence"][CARD_DIGEST]
            for entry in self.history()
            if (entry["action"], entry["version"]) == ("register", name)
        ]
        if registered and registered[-1] != version.card.get(CARD_DIGEST):
            raise ModelError(
                f"{folder / CARD_FILE} is not the card that was registered: restore it, or train "
                "and promote another version"
            )
        return version

    def history(self) -> list[history.Entry]:
        """Return every entry, oldest first."""
        return history.entries(self._history)

    def champion(self) -> Version | None:
        """Return the version that serves by this history, or None before the first promotion.

        Raises:
            ModelError: its files are missing or were changed.
        """
        names = _served(self.history(), first=None)
        return self.load(names[-1]) if names else None

    def serving_name(self) -> str | None:
        """Return the name of what serves, champion or shipped, without looking at its files."""
        names = _served(self.history(), first=_ready_name())
        return names[-1] if names else None

    def predecessor(self) -> str | None:
        """Return the name of the version that a rollback leads to."""
        names = _served(self.history(), first=_ready_name())
        return names[-2] if len(names) > 1 else None

    def overridden(self) -> dict[str, str]:
        """Return the versions that were promoted against the gate, each with the reason given."""
        return {
            entry["version"]: entry["reason"]
            for entry in self.history()
            if entry["action"] == "promote" and entry.get("override")
        }

    def promote(
        self,
        version: Version,
        reason: str,
        *,
        against: str | None,
        override: bool = False,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Let a version serve, from the next reading on.

        Args:
            version: which.
            reason: why, for the history.
            against: the version that served when this one was judged, None if none did.
            override: promote it whatever the gate said; the history shows it for ever.
            evidence: figures for the history.

        Raises:
            GateRefused: the gate did not accept it, or another version serves by now.
        """
        with history.locked(self._history) as log:
            names = _served(log.entries, first=_ready_name())
            serving = names[-1] if names else None
            if not override:
                _require_accepted(version)
                _require_same(version, against, serving)
            log.append(
                "promote",
                version=version.name,
                reason=reason,
                replaced=serving,
                override=override,
                evidence=dict(evidence or {}),
            )

    def rollback(self, reason: str, recheck: Recheck) -> Version:
        """Let the version serve again that the champion replaced.

        Args:
            reason: why, for the history.
            recheck: called with that version, whose hashes are verified, before it serves.

        Raises:
            ModelError: there is nothing to go back to, or that version is not what it was.
        """
        with history.locked(self._history) as log:
            names = _served(log.entries, first=_ready_name())
            if len(names) < 2:
                raise ModelError("there is no earlier version to roll back to")
            version = self.load(names[-2])
            recheck(version)
            shipped = version.folder == READY  # by then another one may ship
            facts = {"reason": reason, "replaced": names[-1], "shipped": shipped}
            log.append("rollback", version=version.name, **facts)
        return version

    def record(
        self,
        action: str,
        version: str,
        reason: str,
        *,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Append what was done that changes nothing about who serves."""
        with history.locked(self._history) as log:
            log.append(action, version=version, reason=reason, evidence=dict(evidence or {}))

    def remove(self, names: Sequence[str], reason: str, evidence: Mapping[str, Any]) -> None:
        """Delete versions that neither serve nor would serve after a rollback.

        Raises:
            InputError: one of them does.
        """
        with history.locked(self._history) as log:
            needed = _served(log.entries, first=None)[-2:]
            if kept := [name for name in names if name in needed]:
                raise InputError(f"{kept[0]} serves or is what a rollback leads to: it stays")
            for name in names:
                gone = Path(tempfile.mkdtemp(dir=self.folder, prefix=".removing-"))
                (self.folder / name).rename(gone / name)
                shutil.rmtree(gone)
                log.append("remove", version=name, reason=reason, evidence=dict(evidence))


def _served(entries: Sequence[history.Entry], first: str | None) -> list[str]:
    """Return the versions that serve one after the other, without those that were rolled back."""
    names = [first] if first else []
    for entry in entries:
        if entry["action"] == "promote":
            names.append(entry["version"])
        elif entry["action"] == "rollback" and entry.get("shipped"):
            names = [first] if first else []
        elif entry["action"] == "rollback":
            while names and names[-1] != entry["version"]:
                names.pop()
    return names


def _require_accepted(version: Version) -> None:
    if not version.accepted:
        raise GateRefused(
            f"{version.name} did not pass the gate and cannot be promoted, but with --override"
        )


def _require_same(version: Version, against: str | None, serving: str | None) -> None:
    if against != serving:
        raise GateRefused(
            f"stale baseline: {version.name} was judged against {against or 'nothing'}, but "
            f"{serving or 'nothing'} serves: judge it again"
        )


def verified(folder: Path) -> Version:
    """Return the version in a folder, whose files are what its card says.

    Raises:
        ModelError: a file is missing or was changed.
    """
    version = Version(folder, read_card(folder / CARD_FILE))
    seal = version.card.get(CARD_DIGEST)
    if seal and sealed(version.card)[CARD_DIGEST] != seal:
        raise ModelError(
            f"{folder / CARD_FILE} is not the card that was registered (its content has another "
            f"SHA-256 than {seal}): restore it, or train and promote another version"
        )
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
    return verified(READY) if (READY / CARD_FILE).is_file() else None


def _ready_name() -> str | None:
    """Return its name, which is known even where its file was changed."""
    return str(read_card(READY / CARD_FILE)["version"]) if (READY / CARD_FILE).is_file() else None


def ship(version: Version) -> None:
    """Make an accepted version the one that ships: its ONNX file and its card, without Keras.

    Raises:
        GateRefused: the gate did not accept it.
    """
    if not version.accepted:
        raise GateRefused(f"{version.name} did not pass the gate and cannot ship")
    card = sealed({**version.card, "files": {ONNX_FILE: version.card["files"][ONNX_FILE]}})
    with whole_file(READY / ONNX_FILE) as temporary:
        shutil.copyfile(version.onnx, temporary)
    write_text(READY / CARD_FILE, json.dumps(card, indent=2) + "\n")


def serving(registry: Registry) -> Version | None:
    """Return the version that reads: the champion, or what ships with the package before one.

    Raises:
        ModelError: its files are missing or were changed.
    """
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
