"""What is written to a file by one version and read by another: typed, and checked when read."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.visible import visible


class Contract(BaseModel):
    """Facts that are passed on and kept as JSON; they never change.

    A later version may have written more keys: they are kept. Nothing is taken for something else:
    `"1"` is no number.
    """

    # built when first used: a command reads few of these models
    model_config = ConfigDict(strict=True, extra="allow", frozen=True, defer_build=True)

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Return what `to_dict` wrote.

        Raises:
            ValueError: it is something else; the message is one line that names the key.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = visible(".".join(map(str, first["loc"])))
            raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the same as values that JSON knows."""
        return self.model_dump()
