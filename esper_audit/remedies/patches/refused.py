"""Why a patch makes no edit."""

from __future__ import annotations

from esper_audit.data.places import Location
from esper_audit.data.remedies import Because, Ground


class Refused(Exception):  # noqa: N818  # an answer, no error
    """The code is not of the form that a patch knows: ``because`` says what stands in the way."""

    def __init__(
        self, text: str, location: Location | None = None, ground: Ground = Ground.NO_PATTERN
    ) -> None:
        super().__init__(text)
        self.because = Because(ground=ground, text=text, location=location)


class Unconcerned(Exception):  # noqa: N818  # an answer, no error
    """The finding is none of a patch's: nothing is said of it."""
