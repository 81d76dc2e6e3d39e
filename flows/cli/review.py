"""The command of review: options in, a page until Ctrl-C."""

from getpass import getpass

from pydantic import Field

from flows.cli.base import Command
from tasks.errors import InputError
from tasks.outcomes import Reason
from tasks.settings.base import Once, home
from tasks.visible import encodable


class Review(Command):
    """Open a page on which people look at what waits for them, and say what it is.

    It is for this machine alone, unless --host or --origin says otherwise.
    """

    host: str = Field(
        "127.0.0.1", description="Address to listen at; another one asks each person for a login."
    )
    port: int = Field(4201, ge=0, le=65535, description="Port; 0: any that is free.")
    origin: list[str] = Field(
        [],
        description="Address under which people open the page, such as that of a proxy with TLS; "
        "may be given several times.",
    )
    reason: Once[Reason | None] = Field(None, description="Only what waits for this reason.")
    source: Once[str | None] = Field(
        None, description="Only what was read from this folder, archive or URL."
    )
    run_id: Once[str | None] = Field(None, alias="run", description="Only what this run has read.")
    add_person: Once[str | None] = Field(
        None, description="Let somebody of this name log in, ask for a password, and end."
    )

    def run(self) -> None:
        """Serve the page."""
        if self.add_person is not None:
            self._add_person(self.add_person)
            return
        from flows.review.kept_answers import keeping
        from flows.review.serve import Address, review
        from tasks.corrections.store import corrections
        from tasks.review.queue import Choice

        choice = Choice(self.reason, self.source, self.run_id and encodable(self.run_id))
        address = Address(self.host, self.port, tuple(self.origin))
        done = review(address, choice, self.console().log, keeping(corrections()))
        self.answer(done.to_dict())

    def _add_person(self, name: str) -> None:
        from flows.review.people import People

        password = getpass(f"Password of {name}: ")
        if getpass("Once more: ") != password:
            raise InputError("these are two passwords: nothing was changed")
        added = People(home()).add(name, password)
        self.answer({"name": name, "added": added})
        self.console().log("Added" if added else "Changed", f"{name} may log in")
