"""The settings of a reading: of a folder once, of an inbox on a schedule, and of a preview."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_serializer, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from tasks.outcomes import ALL, STATUSES, Reason, Status
from tasks.settings.base import FlowSettings, Once, WithVariables, inbox
from tasks.visible import encodable

AfterReading = Literal["leave", "move", "delete"]

# of files that browsers, WinSCP, rsync, editors and NFS write before they give them their name
UNFINISHED = [
    *("*.part", "*.partial", "*.filepart", "*.crdownload", "*.download", "*.opdownload"),
    *("*.tmp", "*.temp", "*.swp", ".~*", "~$*", ".nfs*", ".smbdelete*"),
    *(".*.[a-z0-9][a-z0-9][a-z0-9][a-z0-9][a-z0-9][a-z0-9]", ".digitflow-*"),
]
# what `--model` may say beside a version and a file
CHAMPION, CHAMPION_OR_SHIPPED = "champion", "champion-or-shipped"


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

    audit: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of what is read that a person checks, drawn at random, rare digits and "
        "less sure ones more often: so the error is known on what really comes.",
    )
    tighten: bool = Field(
        False,
        description="Read a source more strictly while the audit shows more errors on it than are "
        "accepted, until another model reads.",
    )
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

    hold: bool = Field(
        False,
        description="Hold a batch that is unlike those before it: its rows are no results until "
        "somebody releases it (`digitflow held`).",
    )
    strict: bool = Field(
        False, description="End with exit code 4 if a picture is rejected, by this run or before."
    )
    allow_empty: bool = Field(
        False, description="A folder without files is no error (for schedules)."
    )


class InboxSettings(PredictSettings):
    """Settings of the predict flow on a schedule, which reads the inbox of where it runs."""

    source: Once[str | list[str]] = Field(
        default_factory=inbox,
        description="A folder, a file, a glob, a list, an archive, a URL, or several of them. By "
        "default `inbox` below DIGITFLOW_HOME where the flow runs, which is made if need be.",
    )
    allow_empty: bool = Field(True, description="A folder without files is no error.")
    audit: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of what is read that a person checks, drawn at random; 0: nothing.",
    )
    hold: bool = Field(
        True,
        description="Hold a batch that is unlike those before it: its rows are no results until "
        "somebody releases it (`digitflow held`).",
    )
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


class DecisionSettings(WithVariables):
    """What a person decides about a batch that is held."""

    model_config = SettingsConfigDict(
        env_prefix="DIGITFLOW_", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    run_id: Once[str] = Field(
        min_length=1, description="The run that read it: the page `status` names it."
    )
    decision: Once[Literal["release", "drop"]] = Field(
        "release", description="It counts from now on, or never."
    )
    reason: Once[str] = Field(min_length=1, description="Why; it is kept with the batch.")
    by: Once[str | None] = Field(
        None, description="Who decides; by default the user that the worker runs as."
    )
