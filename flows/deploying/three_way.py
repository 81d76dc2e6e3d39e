"""Three-way: what was applied last, what a server has, and what is declared; no Prefect here.

A thing is a nested dictionary, as JSON has it. It is compared leaf by leaf, and a leaf that
somebody has changed on the server since it was applied stays as it is there.
"""

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Tree = Mapping[str, Any]
Path = tuple[str, ...]

DIGEST = 12  # hexadecimal digits: what was applied is only compared


class Leaf(dict[str, Any]):
    """A dictionary that is compared as one."""


class Missing:
    """Stands for what is not there."""

    def __repr__(self) -> str:
        """Return how it is shown."""
        return "nothing"


MISSING: Final = Missing()


@dataclass(frozen=True)
class Difference:
    """One leaf that is on the server otherwise than it is declared; either may be missing."""

    path: Path
    there: Any
    declared: Any
    kept: bool  # as it is on the server, because somebody changed it there


@dataclass(frozen=True)
class Merged:
    """What comes of the three."""

    differences: list[Difference]
    applied: dict[str, str]  # path to digest: to be remembered for the next time

    @property
    def changes(self) -> list[Difference]:
        """Return what is to be changed on the server."""
        return [each for each in self.differences if not each.kept]


def merged(applied: Mapping[str, str], there: Tree, declared: Tree, *, force: bool) -> Merged:
    """Compare the three, leaf by leaf.

    Args:
        applied: digests of what was applied last; nothing: by no digitflow.
        there: what the server has; what was never applied and is not declared is not looked at.
        declared: what is wanted.
        force: take what is declared, whoever has changed it.
    """
    has, wanted = dict(_leaves(there)), dict(_leaves(declared))
    differences, remembered = [], {}
    for path in dict.fromkeys([*wanted, *has]):
        before, found, want = (
            applied.get(_text(path)),
            has.get(path, MISSING),
            wanted.get(path, MISSING),
        )
        if want is MISSING and before is None:
            continue  # never ours
        untouched = before == (None if found is MISSING else digest_of(found))
        if found is want or found == want:
            kept = False
        else:
            kept = not (untouched or force)
            if want is not MISSING or not kept:
                differences.append(Difference(path, found, want, kept))
        if want is MISSING:
            continue  # the person's, if it is still there
        if not kept:
            remembered[_text(path)] = digest_of(want)
        elif before:
            remembered[_text(path)] = before
    return Merged(differences, remembered)


def with_changes(tree: Tree, changes: list[Difference]) -> dict[str, Any]:
    """Return a copy in which some leaves are as they are declared."""
    changed: dict[str, Any] = copy.deepcopy(dict(tree))
    # what is removed first: a leaf may come in the place of others, or they in its place
    for change in sorted(changes, key=lambda each: each.declared is not MISSING):
        *above, last = change.path
        inside = changed
        for name in above:
            if not isinstance(inside.get(name), dict):
                inside[name] = {}
            inside = inside[name]
        if change.declared is MISSING:
            inside.pop(last, None)
        else:
            inside[last] = change.declared
    return changed


def digest_of(value: Any) -> str:
    """Return what tells a value from another."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]


def _text(path: Path) -> str:
    return "/".join(path)


def _leaves(tree: Tree, above: Path = ()) -> Iterator[tuple[Path, Any]]:
    for name, value in tree.items():
        path = (*above, name)
        if isinstance(value, Mapping) and not isinstance(value, Leaf):
            yield from _leaves(value, path)
        else:
            yield path, value
