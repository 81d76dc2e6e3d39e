"""What code and which packages made a model, for its card."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "digitflow",
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
    "onnxruntime-gpu",
    "onnxruntime",
    "prefect",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "deltalake",
    "pyarrow",
)


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that matter here, of those that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Return the commit this code runs from, `-dirty` if it was changed since, or None."""
    if not _git("ls-files", "--error-unmatch", Path(__file__).name):
        return None  # installed, perhaps below a repository that is of something else
    return _git("describe", "--always", "--abbrev=40", "--dirty", "--exclude", "*")


def _git(*arguments: str) -> str | None:
    """Return what git says of the folder of this file, or None where it says nothing."""
    try:
        answer = subprocess.run(  # noqa: S603 - fixed commands
            ["git", *arguments],  # noqa: S607 - wherever it is installed
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
