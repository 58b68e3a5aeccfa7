"""A session's own venv: built like the shared one, and then changed by the session.

It is an ordinary venv of the store, in a folder for the session. The session holds its lease exclusively, so no second
nox process uses it. Its marker is absent until the first installer has changed it, and while another one does: an
interrupted installation is never used.
"""

import contextlib
import os
from collections.abc import Iterator

from roost import protocol
from roost import state as states
from roost.build import build
from roost.console import holders, messages
from roost.console.waiting import Wait
from roost.errors import RoostError
from roost.inputs import interpreter
from roost.protocol import Held, Request
from roost.store import inventory, marker
from roost.store.venvs import Attempt, Venv
from roost.system import files, locks, paths, processes


class SessionVenv:
    """A venv that only this process uses, until it ends."""

    def __init__(self, held: Held) -> None:
        """Use the venv that is `held` with an exclusive lease."""
        self._held = held
        self.path = held.marker.venv
        self.base = held.state.interpreter.real_path
        """The Python that it is made from."""

    @property
    def exists(self) -> bool:
        """Whether there is a venv in its folder."""
        return os.path.exists(f"{self.path}/pyvenv.cfg")

    def create(self) -> None:
        """Create the venv, without packages, unless it exists.

        Raises:
            RoostError: it cannot be created.
        """
        if self.exists:
            return
        state = self._held.state
        got = processes.query(build.creation(state, self.path), cwd=state.project.root)
        if got.status != 0:
            raise RoostError(f"`{self.path}` cannot be created: {got.output.strip()}")

    def begin(self) -> None:
        """Remove the marker before a change, so that an interrupted one is noticed."""
        path = self._venv.marker
        found, _ = marker.load(path)
        if found and found.venv == self.path:  # another process of the same session may have published its own
            files.remove(path)

    def complete(self) -> None:
        """Write the marker for the venv as it is now.

        Raises:
            RoostError: it cannot be written.
            OSError: the venv cannot be read.
        """
        done = Attempt(self._venv, self._held.lease_descriptor)
        done.folders = [*paths.site_packages(self.path), paths.scripts(self.path)]
        inventory.write(self.path, inventory.take(self.path))
        if warning := marker.publish(self._venv.marker, marker.describe(self._held.state, done)):
            messages.warning(warning)

    @contextlib.contextmanager
    def lend(self, label: str) -> Iterator[None]:
        """Let the commands that start meanwhile hold the lease, too: the next build waits for an orphan (rule 9).

        nox closes all descriptors of its children but the standard ones. So the lease takes the place of standard
        input, of which an installer reads nothing. Its file has a record, like that of a build.

        Raises:
            OSError: the record cannot be written.
        """
        lease, path = self._held.lease_descriptor, self._venv.lease_file
        locks.rewrite_record(path, holders.record(label))
        os.lseek(lease, 0, os.SEEK_END)
        before = os.dup(0)
        os.dup2(lease, 0)
        try:
            yield
        finally:
            os.dup2(before, 0)
            os.close(before)
            locks.rewrite_record(path, "")

    @property
    def _venv(self) -> Venv:
        return Venv(*os.path.split(self.path))


def look(request: Request) -> tuple[str, bool]:
    """Return the folder of the project, and whether its shared venv is complete.

    Raises:
        NoInterpreterError: no Python satisfies the request.
        RoostError: the project or its settings are not valid.
    """
    answer = protocol.ask(request)
    if answer.state is None:  # the choice itself is made under the build lock
        draft = states.draft(request.start, request.selection)
        interpreter.choose(answer.watched, draft.project, draft.request)
    return answer.store.project, answer.marker is not None


def make(request: Request) -> SessionVenv:
    """Build a venv for the session that `request` names.

    Raises:
        RoostError: it cannot be built.
    """
    return SessionVenv(protocol.acquire(request))


def reuse(request: Request) -> SessionVenv | None:
    """Return the session's venv of an earlier run, if it is complete, fits the present state, and is not in use."""
    held = protocol.lease(protocol.ask(request))
    return SessionVenv(held) if held else None


@contextlib.contextmanager
def building_in_tree(request: Request) -> Iterator[None]:
    """Hold the build lock: an installer builds in the source tree, where no two builds may run at once (rule 9)."""
    wait = Wait(request.timeout)
    while True:
        answer = protocol.ask(request)
        with protocol.build_lock(request, answer, wait) as lock:
            if lock is not None:
                build.await_orphans(answer.store, wait)
                yield
                return
