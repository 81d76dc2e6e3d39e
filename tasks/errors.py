"""The error tree: what stops a command, with the exit code that tells a script why.

DigitflowError          1  something failed that should have worked
|-- InputError          2  wrong usage or input, found before work starts
|   |-- DatasetError    2  labelled data that cannot be trusted or understood
|   |-- ModelError      2  a model that is missing, damaged or not what it says
|   |   `-- OutdatedModel  2  a model of another digitflow, for another canonical form
|   `-- DeviceError     2  a device that was asked for and cannot run
|-- GateRefused         3  the candidate did not pass; the champion is as it was
`-- RejectedInputs      4  done, but some inputs were rejected and --strict was given

A picture that cannot be read is none of these: it is a row with a reason (see outcomes.py).
"""

from tasks.url_secrets import without_secrets
from tasks.visible import visible


class DigitflowError(Exception):
    """Base of every error this project raises on purpose; the message says what to do.

    It is one line that may be shown and stored anywhere: names are spelled out where they have
    to be, and URLs are without their secrets.
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        """Make the message fit to be looked at."""
        super().__init__(visible(without_secrets(message)))


class InputError(DigitflowError):
    """A wrong option, a missing folder: the user can mend it."""

    exit_code = 2


class DatasetError(InputError):
    """Labelled data that is incomplete, damaged or not what was expected."""


class ModelError(InputError):
    """A model that does not exist, does not load or does not match its hash."""


class OutdatedModel(ModelError):
    """A model that was made for pictures in another canonical form than this digitflow's."""

    cause: str = ""  # the message without its advice


class DeviceError(InputError):
    """A device that was asked for by name and cannot run, with the cause."""


class GateRefused(DigitflowError):
    """The candidate failed a check of the gate."""

    exit_code = 3


class RejectedInputs(DigitflowError):
    """Some inputs were rejected in a run that asked for none."""

    exit_code = 4


def error_text(error: Exception) -> str:
    """Return an error in one line with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
