"""A glob finds what Python's own finds, and include and exclude follow .gitignore."""

import os
import shutil
import subprocess
from glob import glob
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import InputError
from tasks.inputs.path_filter import PathFilter, split_glob

TREE = ("a.png", "b.PNG", ".hidden", "a/1.png", "a/2.txt", "a/b/3.png", "b/a/b/4.png", "b/[x].png")
NAMES = st.sampled_from(["**", "*", "*.png", "a", "b", "?", "[ab]", "[!a]", "*.*", "[[]x].png", ""])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of TREE."""
    root = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def kept(path_filter: PathFilter) -> set[str]:
    return {name for name in TREE if path_filter.matches(name.encode())}


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_glob_keeps_the_files_that_pythons_glob_finds(tree: Path, names: list[str]) -> None:
    pattern = "/".join(names).strip("/") or "*"
    found = glob(pattern, root_dir=tree, recursive=True, include_hidden=True)  # noqa: PTH207 - names
    assert kept(PathFilter(glob=pattern)) == {os.path.normpath(name) for name in found} & set(TREE)


@pytest.mark.skipif(not shutil.which("git"), reason="git is what it is compared with")
@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_exclude_leaves_out_what_git_ignores(
    tree: Path, names: list[str], anchored: bool, folder: bool
) -> None:
    joined = "/".join(name for name in names if name)
    if not joined:
        return
    pattern = "/" * anchored + joined + "/" * folder
    if not (tree / ".git").exists():
        subprocess.run(["git", "init", "-q", tree], check=True)
    (tree / ".git" / "info").mkdir(exist_ok=True)
    (tree / ".git" / "info" / "exclude").write_text(pattern + "\n")
    command = ["git", "-C", str(tree), "ls-files", "--others", "--exclude-standard", "-z"]
    alone = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    listed = subprocess.run(command, check=True, capture_output=True, text=True, env=alone).stdout
    assert kept(PathFilter(exclude=[pattern])) == set(listed.split("\0")) - {""}


@given(st.lists(NAMES, min_size=1, max_size=3), st.booleans())
def test_no_folder_is_passed_by_that_holds_something_wanted(names: list[str], glob: bool) -> None:
    pattern = "/".join(names).strip("/") or "*"
    path_filter = PathFilter(glob=pattern) if glob else PathFilter(exclude=[pattern])
    for name in kept(path_filter):
        above = [str(folder) for folder in Path(name).parents][:-1]
        assert all(path_filter.descends(folder.encode()) for folder in above)


def test_include_and_exclude_are_both_obeyed() -> None:
    assert kept(PathFilter(["*.png"], ["a"])) == {"a.png", "b/[x].png"}
    assert kept(PathFilter(["/a", "b/a"], ["*.txt"])) == {"a/1.png", "a/b/3.png", "b/a/b/4.png"}
    assert kept(PathFilter(["*.png"], ["b/"], glob="*/*")) == {"a/1.png"}


def test_names_that_are_no_utf_8_or_hold_newlines_are_matched() -> None:
    assert PathFilter(["caf?.png"]).matches(b"x/caf\xe9.png")
    assert PathFilter(["*.png"]).matches(b"two\nlines.png")
    assert PathFilter(["lines.png"]).matches(b"two\nfolders/lines.png")
    assert not PathFilter(["*.png"]).matches(b"two.png\n")


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("scans/2026/**/*.png", ("scans/2026/", "**/*.png")),
        ("*.png", ("", "*.png")),
        ("/a?c/d", ("/", "a?c/d")),
        ("scans/one.png", ("scans/one.png", "")),
    ],
)
def test_a_glob_is_split_before_its_first_wildcard(given: str, parts: tuple[str, str]) -> None:
    assert split_glob(given) == parts


@pytest.mark.parametrize("pattern", ["", "/", "[z-a]"])
def test_a_pattern_that_means_nothing_is_an_error_that_names_it(pattern: str) -> None:
    with pytest.raises(InputError) as caught:
        PathFilter(exclude=[pattern])
    assert repr(pattern) in str(caught.value)
