"""What a version has to be before it may serve; each rule is a refusal with its reason."""

from collections.abc import Collection, Mapping, Sequence

from tasks.contracts.verdict import Verdict
from tasks.errors import GateRefused, ModelError
from tasks.registry.card import Card
from tasks.registry.version import CARD_FILE, Known

# How slices of registered folders begin: what is registered by now counts, and every verdict that
# lets a version serve is on all of that.
REGISTERED = "acceptance "
SHOWN_SLICES = 3  # in an error


def require_registered(
    place: str, name: str, card: Card, digests: Mapping[str, str | None]
) -> None:
    """Refuse what the history does not know: only a registration makes a version.

    Args:
        place: folder or URL of the version.
        name: of the version.
        card: as it lies there.
        digests: SHA-256 of the card of each version that was registered.

    Raises:
        ModelError: the version was never registered, or with another card.
    """
    if name not in digests:
        raise ModelError(
            f"{place} was never registered: no entry of the history says so, and it serves nobody: "
            "restore the history that has it, or train again"
        )
    if card.version != name or card.card_sha256 != digests[name]:
        raise ModelError(
            f"{place}/{CARD_FILE} is not the card that was registered: restore it, "
            "or train and promote another version"
        )


def require_accepted(version: Known) -> None:
    """Refuse what the gate refused.

    Raises:
        GateRefused: it did.
    """
    if not version.accepted:
        raise GateRefused(
            f"{version.name} did not pass the gate and cannot be promoted, but with --override"
        )


def require_same(version: Known, against: str | None, serving: str | None) -> None:
    """Refuse a verdict that compares with another version than the one that serves.

    Args:
        version: that was judged.
        against: what it was judged against.
        serving: what serves.

    Raises:
        GateRefused: the two differ.
    """
    if against != serving:
        raise GateRefused(
            f"stale baseline: {version.name} was judged against {against or 'nothing'}, but "
            f"{serving or 'nothing'} serves: judge it again"
        )


def require_as_much_evidence(version: Known, champion: Card) -> None:
    """Refuse a verdict on fewer slices than the model passed that serves.

    Raises:
        GateRefused: it is; the slices are named.
    """
    if missing := missing_slices(version.card.verdict.passed_slices(), champion.verdict):
        raise GateRefused(
            f"less evidence: {version.name} was not judged on {listed_slices(missing)}, which "
            f"{champion.version} passed: train with --judge-on all and the same --slices, or "
            f'`digitflow models promote {version.name} --override --reason "..."`'
        )


def missing_slices(slices: Collection[str], champion: Verdict) -> list[str]:
    """Return the slices that what serves passed and a candidate is not judged on."""
    return [
        name
        for name in champion.passed_slices()
        if name not in slices and not name.startswith(REGISTERED)
    ]


def listed_slices(names: Sequence[str]) -> str:
    """Return the first slices by name, and how many more there are."""
    more = len(names) - SHOWN_SLICES
    return ", ".join(names[:SHOWN_SLICES]) + (f" and {more} more slices" if more > 0 else "")
