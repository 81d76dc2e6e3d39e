"""`digitflow corrections ...`: what people answered in review, as it is kept to judge and learn."""

from typing import TYPE_CHECKING

from pydantic import Field

from flows.cli.base import Command
from tasks.errors import InputError
from tasks.settings.base import Once

if TYPE_CHECKING:
    from tasks.corrections.store import Correction


class ListCorrections(Command):
    """Count the corrections of each digit, by where they are from and by their half."""

    def run(self) -> None:
        """Print them; the acceptance half judges, the training half is learned when asked."""
        from tasks.corrections.store import corrections, counted

        self.table(counted(corrections().kept()), "nothing was corrected yet")


class RemoveCorrections(Command):
    """Delete corrections, such as those of a wrong answer or of a source."""

    picture: Once[str | None] = Field(
        None, min_length=8, description="Those whose digest, the name of their file, begins so."
    )
    source: Once[str | None] = Field(None, description="Those from there, as `list` names it.")
    by: Once[str | None] = Field(None, description="Those that this person answered.")
    reason: Once[str] = Field(min_length=1, description="Why; it is written into the journal.")

    def run(self) -> None:
        """Delete them, and say how many."""
        from tasks.corrections.store import corrections

        if self.picture is None and self.source is None and self.by is None:
            raise InputError("which ones? Give --picture, --source or --by")
        removed = corrections().remove(self._chosen, self.reason)
        self.answer({"removed": [one.picture for one in removed]})
        self.console().log("Corrections", f"{len(removed):,} deleted")

    def _chosen(self, one: "Correction") -> bool:
        return (
            (self.picture is None or one.picture.startswith(self.picture))
            and (self.source is None or one.source == self.source)
            and (self.by is None or one.by == self.by)
        )


CORRECTIONS: dict[str, type[Command]] = {"list": ListCorrections, "remove": RemoveCorrections}
