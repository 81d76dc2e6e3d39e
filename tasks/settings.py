"""The typed settings of each flow: one model feeds the command line, the environment and the UI."""

import logging
import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    Field,
    SecretStr,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tasks.atomic import absolute
from tasks.errors import InputError
from tasks.outcomes import ALL, STATUSES, Reason, Status
from tasks.url_secrets import has_secret
from tasks.visible import encodable

DeviceChoice = Literal["auto", "cpu", "cuda"]
RecipeName = Literal["standard", "quick"]
JudgedOn = Literal["all", "clean"]
Orientation = Literal[
    "checked",
    "as-given",
    "transposed",
    "turned-left",
    "turned-right",
    "upside-down",
    "mirrored",
    "flipped",
    "anti-transposed",
]
Alert = Literal["failed", "late", "stuck", "refused", "rejects", "promoted", "rolled-back"]
Required = Literal["non-inferiority", "improvement"]
AfterReading = Literal["leave", "move", "delete"]

# of files that browsers, WinSCP, rsync, editors and NFS write before they give them their name
UNFINISHED = [
    *("*.part", "*.partial", "*.filepart", "*.crdownload", "*.download", "*.opdownload"),
    *("*.tmp", "*.temp", "*.swp", ".~*", "~$*", ".nfs*", ".smbdelete*"),
    *(".*.[a-z0-9][a-z0-9][a-z0-9][a-z0-9][a-z0-9][a-z0-9]", ".digitflow-*"),
]
# what `--model` may say beside a version and a file
CHAMPION, CHAMPION_OR_SHIPPED = "champion", "champion-or-shipped"

SEEN = "histories"  # folder of the home: what this machine has seen of each history
NO_SECRETS = (
    "a URL with a password, key or signature would be written into results, reports and logs: give "
    "it without, and what lets you in by variables (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
    "for s3://, FSSPEC_HTTP and the like for others) or in fsspec's configuration files"
)


def home() -> Path:
    """Return the folder of all state: `DIGITFLOW_HOME`, by default `~/.digitflow`."""
    return absolute(os.environ.get("DIGITFLOW_HOME") or "~/.digitflow")


def inbox() -> str:
    """Return the folder that schedules read unless they are told another, below the home."""
    return str(home() / "inbox")


def results_table() -> str:
    """Return folder or URL of the results: `DIGITFLOW_RESULTS`, by default below the home."""
    return _place("DIGITFLOW_RESULTS", "results")


def models_place() -> str:
    """Return folder or URL of the model versions: `DIGITFLOW_MODELS`, by default below the home."""
    return _place("DIGITFLOW_MODELS", "models")


def _place(variable: str, name: str) -> str:
    place = os.environ.get(variable) or str(home() / name)
    if has_secret(place):
        raise InputError(f"{variable}: {NO_SECRETS}")
    return place if "://" in place else str(absolute(place))


class CommandLineOnly:
    """Marks an option that says what is done this once: no variable may ask for it, or confirm it.

    A variable stays set, and so would ask again and again for what was meant once.
    """


T = TypeVar("T")
Once = Annotated[T, CommandLineOnly]


class Variables(EnvSettingsSource):
    """The `DIGITFLOW_*` variables of settings; those of actions and confirmations do nothing."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of a variable, None for an option that takes none."""
        if CommandLineOnly in field.metadata:
            return None, field_name, False
        return super().get_field_value(field, field_name)


class WithVariables(BaseSettings):
    """Values given win over `DIGITFLOW_*` variables, those over defaults."""

    model_config = SettingsConfigDict(env_prefix="DIGITFLOW_")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values and variables, and nothing else."""
        return init_settings, Variables(settings_cls)


def _in_the_order_of_the_form(schema: dict[str, Any], settings: type["FlowSettings"]) -> None:
    """Put what a person decides first above the rest, as the form in the Prefect UI shows it."""
    fields = schema["properties"]
    named = [name for name in settings.first_in_form if name in fields]
    order = dict.fromkeys([*named, *fields])
    schema["properties"] = {
        name: fields[name] | {"position": place} for place, name in enumerate(order)
    }


class FlowSettings(WithVariables):
    """What the flows that read or train share."""

    model_config = SettingsConfigDict(
        env_prefix="DIGITFLOW_",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra=_in_the_order_of_the_form,
    )
    first_in_form: ClassVar[tuple[str, ...]] = ()

    device: DeviceChoice = Field(
        "auto", description="Where the network runs; 'cuda' that cannot run is an error."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_secrets(cls, value: Any) -> Any:
        """Refuse them before a run begins: an orchestrator stores its parameters as they are."""
        if has_secret(str(value)):
            raise ValueError(NO_SECRETS)
        return value


class GateSettings(FlowSettings):
    """What a model has to reach before it may serve."""

    judge_on: JudgedOn = Field(
        "all",
        description="'all' slices, or the test part as it is ('clean') and what you name.",
    )
    slices: dict[str, Path] = Field(
        {}, description="Also judge on these folders, with one sub-folder per digit."
    )
    floors: dict[str, float] = Field(
        {}, description="Lowest accuracy on the slice of that name (lower bound)."
    )
    recall_floors: dict[str, float] = Field(
        {}, description="Lowest recall of each digit on that slice (lower bound)."
    )
    coverage_floors: dict[str, float] = Field(
        {}, description="Lowest share read, and read right, on that slice (lower bound)."
    )
    slice_pictures: int = Field(
        1000, ge=1, le=10_000, description="Pictures to draw for each slice."
    )
    min_slice_pictures: int = Field(
        200, ge=1, description="A slice with fewer pictures proves nothing."
    )
    min_accuracy: float = Field(
        0.985, ge=0, le=1, description="Lowest accuracy on the test part (lower bound)."
    )
    min_recall: float = Field(
        0.95, ge=0, le=1, description="Lowest recall of each digit there (lower bound)."
    )
    max_calibration_error: float = Field(
        0.02, ge=0, le=1, description="Largest calibration error on the test part."
    )
    max_error: float = Field(
        0.005, gt=0, le=1, description="Share of errors accepted among what is read."
    )
    min_coverage: float = Field(
        0.85, ge=0, le=1, description="Least share of the test part read at that error."
    )
    min_refused: float = Field(
        0.9, ge=0, le=1, description="Least share of pictures without a digit not read."
    )
    require: Required = Field(
        "non-inferiority",
        description="What to show against the model that serves: that it is not worse, or better "
        "('improvement').",
    )
    max_drop: float = Field(
        0.004, ge=0, le=1, description="Accuracy lost at most on the test part (bound)."
    )
    max_overall_drop: float = Field(
        0.0075, ge=0, le=1, description="Accuracy lost at most over all slices (bound)."
    )
    max_slice_drop: float = Field(
        0.05, ge=0, le=1, description="Accuracy lost at most on each slice (bound)."
    )
    max_disagreement: float = Field(
        0.5, ge=0, le=1, description="Share of the test part that what serves may contradict."
    )
    max_flips: float | None = Field(
        None, ge=0, le=1, description="Share of recent real pictures whose answer may change."
    )
    max_file_mib: float = Field(8.0, gt=0, description="Largest ONNX file, MiB.")
    max_memory_mib: float = Field(512.0, gt=0, description="Most memory to answer with it.")
    min_speed: float = Field(
        2000.0, ge=0, description="Least pictures/s of the network on one thread."
    )


class TrainSettings(GateSettings):
    """Settings of the train flow."""

    first_in_form = ("data", "recipe", "seed", "promote", "orientation", "device")

    data: str = Field(
        "mnist",
        description="'mnist', a folder of IDX files, an .npz, a .csv, or a folder with one "
        "sub-folder per digit.",
    )
    orientation: Orientation = Field(
        "checked",
        description="How the pictures lie. 'checked': upright, and refused if the shipped model "
        "reads them clearly better turned, mirrored or inverted. 'as-given': whatever it reads. "
        "Any other: they are brought upright first.",
    )
    recipe: RecipeName = Field(
        "standard",
        description="'standard' also learns simulated scans and photos (some half an hour), "
        "'quick' clean digits alone (half a minute).",
    )
    seed: int = Field(
        1, ge=0, lt=2**31, description="Same seed, same kind of device: same weights."
    )
    promote: bool = Field(
        True, description="Whether a model that the gate accepts serves at once, or is only kept."
    )


class ReadSettings(FlowSettings):
    """What decides how a folder is read."""

    first_in_form = ("source", "model", "max_error", "include", "exclude")

    source: Once[str | list[str]] = Field(
        description="A folder, read with everything below it; a file, a glob in quotes, a list, an "
        "archive, a URL. Several are read in one run."
    )
    include: list[str] = Field([], description="Only files that match one of these patterns.")
    exclude: list[str] = Field([], description="No files that match one of these patterns.")
    model: str = Field(
        CHAMPION,
        description="'champion', a version from `digitflow models`, or an .onnx file. "
        "'champion-or-shipped': where the champion was made for another digitflow, the model that "
        "ships reads, and says so.",
    )
    max_error: float = Field(
        0.005, gt=0, le=1, description="Share of errors you accept; what is less sure is reviewed."
    )
    decode_timeout: float = Field(
        30,
        gt=0,
        description="Seconds that a page may take to decode, and a tenth of what a whole file may.",
    )

    @field_validator("source", mode="after")
    @classmethod
    def _one_alone(cls, source: str | list[str]) -> str | list[str]:
        """Take one in a list as it is taken alone."""
        if source == []:
            raise ValueError("no input was named: give a folder of pictures, or . for this one")
        return source[0] if isinstance(source, list) and len(source) == 1 else source

    @field_serializer("source", "model", "include", "exclude", when_used="json")
    def _in_json(self, names: str | list[str]) -> str | list[str]:
        """Spell out what has no encoding: an orchestrator stores its parameters as JSON."""
        if isinstance(names, str):
            return encodable(names)
        return [encodable(name) for name in names]


class PreviewSettings(ReadSettings):
    """Settings of the preview flow."""

    limit: Once[int] = Field(
        50, ge=1, le=1000, description="Show so many files, evenly spread over the folder."
    )


class PredictSettings(ReadSettings):
    """Settings of the predict flow."""

    out: Once[Path | None] = Field(
        None, description="Also write the rows of this run to a .csv, .parquet or .jsonl file."
    )
    again: Once[bool] = Field(
        False, description="Read all files, also those that were read before."
    )
    by_content: bool = Field(
        False, description="Go by what is in a file, not by its size and time, to see a change."
    )
    retry_rejected: Once[Literal["all"] | Reason | None] = Field(
        None,
        examples=[ALL, *(reason for reason in Reason if STATUSES[reason] == Status.REJECTED)],
        description="Only read again what was rejected: for this reason, or all of it.",
    )
    retry_review: Once[bool] = Field(
        False, description="Only read again what is in review, as by a model that serves since."
    )
    workers: int = Field(
        0, ge=0, le=256, description="Processes that read pictures; 0: one per CPU core."
    )

    @field_validator("retry_rejected")
    @classmethod
    def _rejects(cls, reason: Reason | str | None) -> Reason | str | None:
        if isinstance(reason, Reason) and STATUSES[reason] != Status.REJECTED:
            raise ValueError(f"nothing is rejected as {reason}")
        return reason

    runner: Literal["local", "dask", "ray"] = Field(
        "local", description="Read on this machine, or on a Dask or Ray cluster."
    )
    address: str | None = Field(
        None, description="Of the cluster's scheduler; without one a local cluster is started."
    )

    @field_validator("address")
    @classmethod
    def _of_a_cluster(cls, address: str | None, others: ValidationInfo) -> str | None:
        if address and others.data.get("runner") == "local":
            raise ValueError("that is of a cluster; add --runner dask or --runner ray")
        return address

    strict: bool = Field(
        False, description="End with exit code 4 if a picture is rejected, by this run or before."
    )
    allow_empty: bool = Field(
        False, description="A folder without files is no error (for schedules)."
    )


class NotifySettings(WithVariables):
    """Who is told when something goes wrong, and of what."""

    model_config = SettingsConfigDict(
        env_prefix="DIGITFLOW_NOTIFY_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    url: SecretStr | None = Field(
        None,
        description="Where to, as Apprise takes it: a Slack or Teams webhook, mailtos://..., "
        "jsons://... for a program of yours. It is kept on the Prefect server, encrypted.",
    )
    on: list[Alert] = Field(
        ["failed", "late", "stuck", "refused", "rejects"],
        description="Of what: a run that failed, did not start or does not end, a model that was "
        "refused, promoted or rolled back, a batch with too many rejects.",
    )
    max_rejected: float = Field(
        0.2, ge=0, le=1, description="Share of rejected pictures in a batch that is too many."
    )

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse what Apprise would not send to; it is said nowhere, for it holds a secret."""
        if not url:
            return url
        from apprise import Apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs what it cannot take
        if not Apprise().add(url.get_secret_value()):
            raise ValueError(
                "Apprise knows no such place; give a webhook of Slack or Teams, mailtos://..., or "
                "jsons://... for a program of yours"
            )
        return url


class InboxSettings(PredictSettings):
    """Settings of the predict flow on a schedule, which reads the inbox of where it runs."""

    source: Once[str | list[str]] = Field(
        default_factory=inbox,
        description="A folder, a file, a glob, a list, an archive, a URL, or several of them. By "
        "default `inbox` below DIGITFLOW_HOME where the flow runs, which is made if need be.",
    )
    allow_empty: bool = Field(True, description="A folder without files is no error.")
    settle: float = Field(
        10,
        ge=0,
        le=86_400,
        description="Seconds in which a file may not change before it is read. 0: at once, where "
        "files get their names when they are whole.",
    )
    marker: str = Field(
        "",
        description="Ending, such as .done, of a file that says another one is whole: scan.png is "
        "read once scan.png.done or scan.done is there, and no matter how still it is.",
    )
    unfinished: list[str] = Field(
        UNFINISHED,
        description="Names that files have while they are being written (patterns, in lower case).",
    )
    after: Once[AfterReading] = Field(
        "leave",
        description="What becomes of a file once all its pages are read, and in the results: it "
        "stays, is moved or deleted. What is for review stays.",
    )
    move_to: Once[str | None] = Field(
        None, description="Folder that what was read is moved to, with its sub-folders."
    )
    rejected_to: Once[str | None] = Field(
        None, description="Folder that rejected files are moved to; by default they stay."
    )
    batches_to: Once[str | None] = Field(
        None,
        description="Folder in which the rows of each batch are also written as a CSV file, which "
        "is called by the run, and so by its time.",
    )

    @field_validator("marker")
    @classmethod
    def _an_ending(cls, marker: str) -> str:
        if marker and (not marker.startswith(".") or "/" in marker or len(marker) < 2):
            raise ValueError("that is no ending of a name: give one such as .done")
        return marker

    @field_validator("move_to", "rejected_to", "batches_to")
    @classmethod
    def _a_whole_path(cls, folder: str | None) -> str | None:
        """Refuse what depends on where a worker was started."""
        if folder is not None and not folder.startswith(("/", "~")):
            raise ValueError("give the whole path of a local folder")
        return folder

    @model_validator(mode="after")
    def _goes_somewhere(self) -> "InboxSettings":
        if (self.after == "move") != (self.move_to is not None):
            raise ValueError("after: move and move_to, the folder, belong together")
        return self

    @field_serializer("move_to", "rejected_to", "batches_to", when_used="json")
    def _folder_in_json(self, folder: str | None) -> str | None:
        return folder and encodable(folder)


class MaintainSettings(WithVariables):
    """Settings of the maintain flow: how long what stays."""

    model_config = SettingsConfigDict(
        env_prefix="DIGITFLOW_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    keep_days: int = Field(
        90,
        ge=1,
        le=36_500,
        description="Days that a run stays: on the Prefect server with its log and artifacts, and "
        "its folder.",
    )
    keep_runs: int = Field(
        50, ge=0, le=200, description="So many of the newest runs of each kind stay, however old."
    )
    keep_models: int = Field(
        10,
        ge=1,
        description="So many of the newest versions stay, beside those that something needs.",
    )
    dry_run: Once[bool] = Field(False, description="Remove nothing, and say what would be removed.")
