"""What GitHub reads: workflows run what the Makefile has, forms ask for something."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_readme import make_targets

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE/config.yml"}
)
ASKS = {"input", "textarea", "dropdown", "checkboxes"}


def steps() -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    jobs = [job for file in WORKFLOWS for job in loaded(file)["jobs"].values()]
    return [step for job in jobs for step in job["steps"]]


def loaded(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_the_workflows_run_targets_that_the_makefile_has() -> None:
    run = "\n".join(step["run"] for step in steps() if "run" in step)
    targets = set(re.findall(r"\bmake ([a-z-]+)", run))
    assert targets == {"check", "test", "test-slow"}
    assert targets <= make_targets()


def test_actions_are_pinned_by_their_major_version() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action)] == []


def test_the_tests_run_on_each_python_that_the_package_supports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    [workflow] = [file for file in WORKFLOWS if file.stem == "test"]
    assert loaded(workflow)["jobs"]["test"]["strategy"]["matrix"]["python"] == supported


@pytest.mark.parametrize("file", FORMS, ids=lambda file: file.stem)
def test_a_form_has_what_github_asks_for(file: Path) -> None:
    form = loaded(file)
    assert form["name"]
    assert form["description"]
    asked = [part for part in form["body"] if part["type"] in ASKS]
    assert {part["type"] for part in form["body"]} <= ASKS | {"markdown"}
    assert all(part["attributes"]["label"] for part in asked)
    assert len({part["id"] for part in asked}) == len(asked) > 0
    assert any(part["validations"]["required"] for part in asked if "validations" in part)
