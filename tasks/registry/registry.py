"""The rules of model versions: which are there, what they have to be, and which one serves.

A version never changes once it is registered; the history only ever grows, and the champion is
the version that its promotions and rollbacks end with. Where both are kept is for
tasks/registry/store.py.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.atomic import absolute, atomic_write, sha256, write_text
from tasks.errors import GateRefused, InputError, ModelError
from tasks.inference.model_file import KERAS_FILE, ONNX_FILE, Model, Unreadable, model_in
from tasks.inference.session import outdated
from tasks.registry.card import CARD_DIGEST, Card, CardContent, card_of, read_card, sealed
from tasks.registry.events import (
    asked,
    entry_of,
    named_within,
    overridden,
    registered,
    removed,
    served,
)
from tasks.registry.open import open_models
from tasks.registry.serving_rules import (
    require_accepted,
    require_as_much_evidence,
    require_registered,
    require_same,
)
from tasks.registry.version import CARD_FILE, Known, Unusable, Version, require_judged, verified
from tasks.registry.version_lock import unused
from tasks.settings.reading import CHAMPION, CHAMPION_OR_SHIPPED
from tasks.storage.journal import Entry
from tasks.task import task

READY = Path(__file__).parent / "bundled_model"  # ships with the package
DAY = 86_400.0  # seconds: no registration takes that long

Recheck = Callable[[Version], object]  # raises if a version must not serve


class Registry:
    """The models of one place."""

    def __init__(self, place: str | Path) -> None:
        """Take a folder or the URL of one in a bucket; it is made at the first registration.

        Raises:
            InputError: models cannot be kept there.
        """
        self._store = open_models(str(place))
        self.place = self._store.place

    def require_writable(self) -> None:
        """Find out before any work whether a version can be registered.

        Raises:
            InputError: it cannot, or the history is not what it was.
        """
        self._store.require_writable()
        self.history()

    def where(self, version: Version) -> str:
        """Return folder or URL of a version."""
        return str(READY) if version.folder == READY else f"{self.place}/{version.name}"

    @task(name="register the version")
    def register(self, content: CardContent, onnx: Path, keras: Path) -> Version:
        """Keep a candidate with its card under the card's version, whole or not at all.

        Raises:
            DigitflowError: the version is there already, or cannot be written.
            ModelError: the gate judged another file.
        """
        files = {ONNX_FILE: onnx, KERAS_FILE: keras}
        card = sealed(content, {name: sha256(file) for name, file in files.items()})
        require_judged(card)
        self._store.add(card.version, files, card.to_json())
        evidence = {CARD_DIGEST: card.card_sha256}
        self.record("register", card.version, "a candidate", evidence=evidence)
        return self.load(card.version)

    def names(self) -> list[str]:
        """Return the names of all registered versions that are there, oldest first.

        The history says which is older: a name is a time of the clock, which may have been wrong.
        """
        there = set(self._store.names())
        return [name for name in registered(self.history()) if name in there]

    def versions(self) -> list[Known | Unusable]:
        """Return what is known of every version, oldest first; `load` verifies one.

        What lies among them and was never registered, or has another card, is at the end.
        """
        entries = self.history()
        digests, gone = registered(entries), removed(entries)
        texts = self._store.cards([name for name in self._store.names() if name not in gone])
        order = [name for name in digests if name in texts]
        order += [name for name in texts if name not in digests]
        found = [self._known(name, texts[name], digests) for name in order]
        return sorted(found, key=lambda version: isinstance(version, Unusable))

    def _known(self, name: str, text: bytes, digests: Mapping[str, str | None]) -> Known | Unusable:
        try:
            card = card_of(text, f"{self.place}/{name}/{CARD_FILE}")
            require_registered(f"{self.place}/{name}", name, card, digests)
        except ModelError as error:
            return Unusable(name, str(error))
        return Known(card)

    def load(self, name: str, *, anew: bool = False) -> Version:
        """Return a version whose files are what its card says, and whose card is as registered.

        Args:
            name: of the version.
            anew: fetch it even if a copy of what is in the bucket is here.

        Raises:
            ModelError: there is no such version, or a file was changed.
        """
        return self._load(name, self.history(), anew=anew)

    def _load(self, name: str, entries: Sequence[Entry], *, anew: bool = False) -> Version:
        version = None if name in removed(entries) else self._kept(name, anew=anew)
        if version is None:
            ready = bundled_model()
            if ready and ready.name == name:
                return ready
            known = ", ".join(sorted(self.names())) or "none"
            raise ModelError(f"no model version {name!r} in {self.place}; there is: {known}")
        require_registered(f"{self.place}/{name}", name, version.card, registered(entries))
        return version

    def _kept(self, name: str, *, anew: bool) -> Version | None:
        if name.startswith(".") or Path(name).name != name:
            return None
        folder, place = self._store.fetch(name, anew=anew), f"{self.place}/{name}"
        try:
            return verified(folder, place) if folder else None
        except ModelError:  # or is it only the copy on this machine?
            again = self._store.fetch(name, anew=True)
            return verified(again, place) if again else None

    def history(self, *, checked: bool = True) -> list[Entry]:
        """Return every entry, oldest first.

        Args:
            checked: refuse a history that was shortened or changed, rather than show it.

        Raises:
            InputError: it was, or a line is damaged.
        """
        return self._store.history.entries(checked=checked)

    def accept_history(self, reason: str) -> Entry:
        """Go on with a history that was shortened or changed, and return the entry that says so.

        Raises:
            InputError: it is what it was, or a line is damaged.
        """
        return self._store.history.accept(entry_of("accept-history", "", reason))

    def champion(self) -> Version | None:
        """Return the version that serves by this history, or None before the first promotion.

        Raises:
            ModelError: its files are missing or were changed.
        """
        entries = self.history()
        names = served(entries, first=None)
        return self._load(names[-1], entries) if names else None

    def serving_name(self) -> str | None:
        """Return the name of what serves, champion or shipped, without looking at its files."""
        names = served(self.history(), first=_ready_name())
        return names[-1] if names else None

    def predecessor(self) -> str | None:
        """Return the name of the version that a rollback leads to."""
        names = served(self.history(), first=_ready_name())
        return names[-2] if len(names) > 1 else None

    def overridden(self) -> dict[str, str]:
        """Return the versions that were promoted against the gate, each with the reason given."""
        return overridden(self.history())

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
            GateRefused: the gate did not accept it, another version serves by now, or that one
                passed slices that this one was not judged on.
            ModelError: it was deleted or was never registered, or the card of what serves is not
                what it was.
        """

        def promotion(entries: list[Entry]) -> list[Entry]:
            names = served(entries, first=_ready_name())
            serving = names[-1] if names else None
            if version.name in removed(entries):
                raise ModelError(f"{version.name} was deleted")
            place, digests = f"{self.place}/{version.name}", registered(entries)
            require_registered(place, version.name, version.card, digests)
            if not override:
                require_accepted(version)
                require_same(version, against, serving)
                if serving and (card := self._card(serving, entries)):
                    require_as_much_evidence(version, card)
            facts = {"replaced": serving, "override": override, "evidence": dict(evidence or {})}
            return [entry_of("promote", version.name, reason, **facts)]

        self._store.history.append(promotion)

    def serving_card(self) -> Card | None:
        """Return the card of what serves, champion or shipped; its files are not looked at.

        None: nothing serves, or what was never registered, so that it passed nothing.

        Raises:
            ModelError: it is gone, or not the card that was registered.
        """
        entries = self.history()
        names = served(entries, first=_ready_name())
        return self._card(names[-1], entries) if names else None

    def _card(self, name: str, entries: Sequence[Entry]) -> Card | None:
        """Return the card of what serves, whose model may be large and far away."""
        text = None if name in removed(entries) else self._store.cards([name]).get(name)
        if text is None and name == _ready_name():
            return read_card(READY / CARD_FILE)
        if name not in registered(entries):
            return None
        if text is None:
            raise ModelError(f"no model version {name!r} in {self.place}")
        card = card_of(text, f"{self.place}/{name}/{CARD_FILE}")
        require_registered(f"{self.place}/{name}", name, card, registered(entries))
        return card

    def rollback(self, reason: str, recheck: Recheck) -> Version:
        """Let the version serve again that the champion replaced.

        Args:
            reason: why, for the history.
            recheck: called with that version, whose hashes are verified, before it serves.

        Raises:
            ModelError: there is nothing to go back to, or that version is not what it was.
        """
        back: list[Version] = []

        def retreat(entries: list[Entry]) -> list[Entry]:
            names = served(entries, first=_ready_name())
            if len(names) < 2:
                raise ModelError("there is no earlier version to roll back to")
            version = self._load(names[-2], entries)
            recheck(version)
            back.append(version)
            shipped = version.folder == READY  # by then another one may ship
            return [entry_of("rollback", version.name, reason, replaced=names[-1], shipped=shipped)]

        self._store.history.append(retreat)
        return back[-1]

    def record(
        self,
        action: str,
        version: str,
        reason: str,
        *,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Append what was done that changes nothing about who serves."""
        line = entry_of(action, version, reason, evidence=dict(evidence or {}))
        self._store.history.append(lambda _: [line])

    def refuse_unanswered(self, now: datetime, reason: str) -> list[Entry]:
        """Refuse the versions that nobody has approved in time, and return the entries of that."""

        def refusals(entries: list[Entry]) -> list[Entry]:
            late = [each for each in asked(entries) if each.is_over(now)]
            return [entry_of("refuse", each.version, reason) for each in late]

        return self._store.history.append(refusals) if refusals(self.history()) else []

    def remove(self, names: Sequence[str], reason: str, evidence: Mapping[str, Any]) -> None:
        """Delete versions that neither serve nor would serve after a rollback.

        They are not there any more once the history says so; `sweep` deletes what a program that
        was killed after that has left.

        Raises:
            InputError: one of them does.
        """

        def removal(entries: list[Entry]) -> list[Entry]:
            needed, gone = served(entries, first=None)[-2:], removed(entries)
            if kept := [name for name in names if name in needed]:
                raise InputError(f"{kept[0]} serves or is what a rollback leads to: it stays")
            left = [name for name in names if name not in gone]
            return [entry_of("remove", name, reason, evidence=dict(evidence)) for name in left]

        self._store.history.append(removal)
        for name in names:
            self._store.delete(name)

    def unused(self, name: str) -> AbstractContextManager[bool]:
        """Tell whether no run reads with a version, and let none begin until the block ends."""
        return unused(self._store.copies(name))

    def maybe_used_elsewhere(self) -> set[str]:
        """Return the versions that another machine may have begun to read with, unseen here."""
        return named_within(self.history(), self._store.unseen, datetime.now(UTC))

    def sweep(self) -> None:
        """Delete what killed programs have left for a day or more, and what was removed."""
        for name in set(self._store.names()) & removed(self.history()):
            self._store.delete(name)
        self._store.sweep(time.time() - DAY)


def bundled_model() -> Version | None:
    """Return the version that ships with the package, or None in a package without one.

    Raises:
        ModelError: its file was changed.
    """
    return verified(READY) if (READY / CARD_FILE).is_file() else None


def _ready_name() -> str | None:
    """Return its name, which is known even where its file was changed."""
    return read_card(READY / CARD_FILE).version if (READY / CARD_FILE).is_file() else None


def ship(version: Version) -> None:
    """Make an accepted version the one that ships: its ONNX file and its card, without Keras.

    Raises:
        GateRefused: the gate did not accept it.
    """
    if not version.accepted:
        raise GateRefused(f"{version.name} did not pass the gate and cannot ship")
    card = sealed(version.card, {ONNX_FILE: version.card.files[ONNX_FILE]})
    with atomic_write(READY / ONNX_FILE) as temporary:
        shutil.copyfile(version.onnx, temporary)
    write_text(READY / CARD_FILE, card.to_json())


def serving(registry: Registry) -> Version | None:
    """Return the version that reads: the champion, or what ships with the package before one.

    Raises:
        ModelError: its files are missing or were changed.
    """
    return registry.champion() or bundled_model()


def find_model(model: str, registry: Registry) -> Model:
    """Return what `--model` means: one of the two words, a version's name, or an ONNX file.

    The champion is the version that ships with the package until another is promoted. A file reads
    under the name of the version that it is, byte for byte, and else under its hash.

    Raises:
        ModelError: there is no such model, or no champion yet, or it was changed.
    """
    if model.endswith(".onnx"):
        return _of_file(absolute(model), registry)
    if model in (CHAMPION, CHAMPION_OR_SHIPPED):
        champion = serving(registry)
        if champion is None:
            raise ModelError(
                f"no champion yet in {registry.place}: run `digitflow train` (some half an hour), "
                "or give a model with --model FILE.onnx"
            )
        found = champion.model()
        return _or_shipped(found) if model == CHAMPION_OR_SHIPPED else found
    ready = bundled_model()
    return (ready if ready and model == ready.name else registry.load(model)).model()


def _or_shipped(champion: Model) -> Model:
    """Return the model that ships where the champion is of another digitflow, and only there."""
    why, ready = outdated(champion), bundled_model()
    if why is None or ready is None:
        return champion
    return replace(ready.model(), instead_of=Unreadable(champion.name, why))


def _of_file(file: Path, registry: Registry) -> Model:
    if not file.is_file():
        raise ModelError(f"no file {file}")
    found, ready = model_in(file), bundled_model()
    versions = [version for version in registry.versions() if isinstance(version, Known)]
    for known in ([ready] if ready else []) + versions:
        if known.card.files.get(ONNX_FILE) == found.sha256:
            return registry.load(known.name).model()
    return found
