"""A card names the packages that are here and the commit of this code, and guesses nothing."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tasks import provenance
from tasks.provenance import git_commit, package_versions

AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@b")
COMMIT = re.compile("[0-9a-f]{40}")


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that stands for this code, in a folder of its own."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    file = tmp_path / "repository" / "tasks" / "provenance.py"
    file.parent.mkdir(parents=True)
    file.write_text("one = 1\n")
    monkeypatch.setattr(provenance, "__file__", str(file))
    return file


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def committed(file: Path) -> None:
    """Commit a file to a new repository, under a name that no commit has."""
    git(file.parent.parent, "init")
    git(file.parent.parent, "add", str(file))
    git(file.parent.parent, *AUTHOR, "commit", "-m", "first")
    git(file.parent.parent, *AUTHOR, "tag", "-a", "v1", "-m", "a name")


def test_packages_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package-here", "numpy"))
    assert package_versions() == {"numpy": version("numpy")}


def test_the_packages_that_decide_what_is_read_are_named() -> None:
    assert {"numpy", "pillow", "opencv-python-headless"} <= set(package_versions())


@pytest.mark.processes
def test_the_commit_is_named_whole_whatever_is_tagged_and_a_change_shows(code: Path) -> None:
    committed(code)
    clean = git_commit()
    assert clean
    assert COMMIT.fullmatch(clean)
    code.write_text("one = 2\n")
    assert git_commit() == f"{clean}-dirty"


@pytest.mark.processes
def test_code_outside_of_a_repository_has_no_commit(code: Path) -> None:
    assert git_commit() is None


@pytest.mark.processes
def test_code_that_is_installed_into_somebody_elses_repository_has_no_commit(code: Path) -> None:
    other = code.parent.parent / "main.py"
    other.write_text("import digitflow\n")
    git(code.parent.parent, "init")
    git(code.parent.parent, "add", str(other))
    git(code.parent.parent, *AUTHOR, "commit", "-m", "their own")
    assert git_commit() is None


def test_without_git_there_is_no_commit(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None
