"""The settings of a training, and of the gate that judges what comes of it."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from tasks.settings.base import FlowSettings

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
Required = Literal["non-inferiority", "improvement"]


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

    first_in_form = (
        *("data", "recipe", "seed", "promote", "approve", "approve_within_hours"),
        *("with_corrections", "orientation", "device"),
    )

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
    with_corrections: bool = Field(
        False,
        description="Also learn one half of what people corrected; the other half only judges.",
    )
    promote: bool = Field(
        True, description="Whether a model that the gate accepts serves at once, or is only kept."
    )
    approve: bool = Field(
        False,
        description="Let it serve only once a person has approved it: the run of a deployment "
        "waits for that, holding no place; a command says how to.",
    )
    approve_within_hours: float = Field(
        72, gt=0, le=8_760, description="A run that nobody has approved by then is refused."
    )
