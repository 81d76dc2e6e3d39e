"""A model of an earlier digitflow: what reads in its place, and how it is trained again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.errors import InputError, ModelError
from tasks.inference.model_file import Model
from tasks.inference.session import TRAIN_AGAIN, outdated
from tasks.progress import ProgressLog
from tasks.registry.card import Card
from tasks.registry.recipe_names import recipe_of
from tasks.registry.registry import Registry, find_model
from tasks.registry.version import Version
from tasks.settings.base import models_place
from tasks.settings.reading import CHAMPION, InboxSettings
from tasks.settings.training import TrainSettings
from tasks.training.recipes import RECIPES

NOT_OF_THE_CARD = ("promote", "data")  # what an upgrade decides by itself


@dataclass(frozen=True)
class Upgrade:
    """How a version is trained again from its card."""

    version: str
    why: str | None  # this digitflow cannot read with it; None: it can
    settings: TrainSettings
    digest: str | None  # of the snapshot that it was trained on
    unknown: list[str]  # what the card says and this digitflow does not know, in words
    changed: list[str]  # of the recipe, in words

    def log(self, log: ProgressLog) -> None:
        """Say what will be done, and what will differ from the first training."""
        log.log("Upgrade", f"{self.version}: {self.why}")
        snapshot = f"snapshot {self.digest[:12]} then" if self.digest else "its snapshot is unknown"
        log.log("", f"trained again on {self.settings.data} ({snapshot})")
        for words in self.unknown:
            log.log("Not known", words)
        for words in self.changed:
            log.log("Recipe", words)

    def log_data(self, dataset: Path, log: ProgressLog) -> None:
        """Say whether the data was what it had been; `dataset` is the folder of the snapshot."""
        if self.digest and dataset.name != self.digest:
            log.log(
                "Data",
                f"not what {self.version} was trained on: snapshot {self.digest[:12]} then, "
                f"{dataset.name[:12]} now (it has changed, or its pictures are prepared otherwise)",
            )


def trouble_of_reading() -> str | None:
    """Return in one line why a scheduled reading fails, or reads with another model; None: neither.

    Raises:
        DigitflowError: the model cannot be found or is damaged.
    """
    model = find_model(InboxSettings().model, Registry(models_place()))
    if champion := model.instead_of:
        return (
            f"{model.name} reads in place of the champion: {champion.why}; "
            "`digitflow models upgrade` trains that again"
        )
    if why := outdated(model):
        return f"every reading fails: {why}; {TRAIN_AGAIN}"
    return None


def upgrade_of(name: str, data: str | None, given: Mapping[str, Any]) -> Upgrade:
    """Return how a version is trained again.

    Args:
        name: of the version, or `champion`.
        data: where its data is by now; None: where its card says.
        given: settings that are to be others than those of the card.

    Raises:
        InputError: what ships is asked for, or the data is not there.
        ModelError: there is no such version, or it was changed.
    """
    version = _own_version(name)
    card, model = version.card, version.model()
    settings, unknown = _settings(card, {"data": data or _data(card), "promote": True, **given})
    return Upgrade(
        version=version.name,
        why=_why(model),
        settings=settings,
        digest=card.dataset.digest if card.dataset else None,
        unknown=unknown,
        changed=_changed(card, settings.recipe),
    )


def _own_version(name: str) -> Version:
    registry = Registry(models_place())
    if name != CHAMPION:
        return registry.load(name)
    champion = registry.champion()
    if champion is None:
        raise InputError("the model that ships with digitflow reads: it needs no upgrade")
    return champion


def _why(model: Model) -> str | None:
    """Return why this digitflow cannot read with a model, whatever is wrong; None: it can."""
    try:
        return outdated(model)
    except ModelError as error:
        return str(error)


def _data(card: Card) -> str:
    """Return where the data of a version is.

    Raises:
        InputError: it is not there any more.
    """
    said, source = card.settings.get("data"), card.dataset.source if card.dataset else None
    if said == "mnist":
        return said
    # a relative path may be of another folder by now
    places = [place for place in (source, said) if isinstance(place, str) and place[:1] == "/"]
    if there := next((place for place in places if Path(place).exists()), None):
        return there
    what = f"{places[0]}, is not there any more" if places else "is not named in its card"
    raise InputError(
        f"the data of {card.version}, {what}: restore it, or say where it is by now with --data-at"
    )


def _settings(card: Card, given: Mapping[str, Any]) -> tuple[TrainSettings, list[str]]:
    """Return the settings of a card, and what of them is not known any more."""
    values, unknown = dict[str, Any](given), list[str]()
    for name, value in card.settings.items():
        if name in given or name in NOT_OF_THE_CARD:
            continue
        if name not in TrainSettings.model_fields:
            unknown.append(f"setting {name} ({value}) is none of this digitflow")
            continue
        asked = values | {name: value}
        try:
            TrainSettings(**asked)
        except ValidationError:
            default = TrainSettings.model_fields[name].default
            unknown.append(f"setting {name} cannot be {value} any more: {default} by default")
        else:
            values = asked
    return TrainSettings(**values), unknown


def _changed(card: Card, name: str) -> list[str]:
    """Return what a recipe of this digitflow does otherwise than that of a card."""
    before = recipe_of(card.recipe)
    if not before:
        return [f"the card says nothing of its recipe: {name} of this digitflow is used"]
    return [
        f"{name}: {field} was {before.get(field)}, is {value}"
        for field, value in RECIPES[name].to_dict().items()
        if before.get(field) != value
    ]
