"""What the installers have in common: the protocol, and what each is given."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from roost import process
from roost.project import Project
from roost.settings import Settings


class Target(NamedTuple):
    """What an installer is to fill: an empty virtualenv that exists already."""

    project: Project
    settings: Settings
    venv: str
    python: str
    """The venv's own interpreter."""


class Run(Protocol):
    """Runs one program for an installer, in the project's folder and with a scrubbed environment."""

    def __call__(self, command: Sequence[str], **env: str) -> process.Completed:
        """Run `command` with the variables `env` added."""
        ...


class Installer(Protocol):
    """Makes an empty virtualenv hold what the project asks for."""

    @property
    def kind(self) -> str:
        """What it is called in the settings and in the fingerprint."""
        ...

    @property
    def reason(self) -> str:
        """Why it was chosen, such as the file that it reads."""
        ...

    def install(self, target: Target, run: Run) -> str | None:
        """Fill `target`.

        Returns None, or why it failed: what the tool printed, or one sentence on how to mend it.
        """
        ...
