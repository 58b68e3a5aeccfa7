"""The store: the folder `.roost` of a project, and the paths in it."""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator

from roost import warm
from roost.errors import RoostError, UsageError, VanishedError
from roost.store import trust
from roost.system import files, folders, locks, paths, proc
from roost.warm import views

CACHEDIR_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# Made by roost: virtual environments that can be built again. See https://bford.info/cachedir/
"""
_NOT_OURS = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EMLINK)


class Store:
    """The folder of one project. Its paths are absolute and without links. Creating an instance touches no file."""

    def __init__(self, project: str) -> None:
        """Use the folder of `project`, an absolute path without links."""
        self.project = project
        self.root = warm.folder(project)
        self.links = f"{self.root}/.venv"
        """The folder of the links to current venvs; everything else lies below it, too."""
        self.lock = f"{self.links}/.lock"
        self.data = f"{self.root}/{warm.INNER}"
        inner = (f"{self.data}/{name}" for name in ("index", "python", "envs", "trash"))
        self._folders = (self.links, self.data, *inner)

    @property
    def view(self) -> str:
        """The folder with the index and the choices of this path of the checkout."""
        return views.own(self.project)

    def other_views(self) -> list[str]:
        """Return such folders of all paths but the one that came first."""
        return [f"{self.data}/at/{name}" for name in sorted(folders.names_in(f"{self.data}/at"))]

    def here(self, venv: str) -> str:
        """Return the path here of a venv in this store, which another path of the checkout names differently."""
        return f"{self.data}/envs/{'/'.join(venv.rsplit('/', 2)[1:])}"

    def python(self, key: str, request: str) -> str:
        """Return the path of the record of the interpreter that was chosen for `key` and this request for a Python."""
        return f"{self.view}/python/{key}{paths.STATE}{hashlib.sha256(os.fsencode(request)).hexdigest()[:16]}"

    def folder(self, name: str) -> str:
        """Return the path of the folder with the venvs of one fingerprint, or of one nox session."""
        return f"{self.data}/envs/{name}"

    def marker(self, name: str) -> str:
        """Return the path of the marker in that folder."""
        return f"{self.folder(name)}/complete"

    def check(self) -> None:
        """Refuse a folder that another user can change (rule 8). A missing one passes.

        Raises:
            UsageError: `ROOST_DIR` is relative: it would be another lock in another current folder.
            RoostError: its path cannot be on PATH; its owner, mode or type is wrong; or one of its own folders is none,
                such as a link through which roost would write elsewhere.
        """
        elsewhere = os.environ.get("ROOST_DIR")
        if elsewhere and not os.path.isabs(elsewhere):
            raise UsageError(f"`ROOST_DIR` is `{elsewhere}`: it must be an absolute path")
        if os.pathsep in self.root:
            raise RoostError(
                f"`{self.root}` contains `{os.pathsep}`, the separator in PATH: rename it, or set `ROOST_DIR`"
            )
        with self.guarded():
            if elsewhere:
                trust.check_above(self.root)
            trust.check_root(self.root)
            for path in self._folders:
                folders.check_folder(path)

    def prepare(self) -> None:
        """Create the folder and everything that belongs in it.

        Raises:
            RoostError: it cannot be trusted (see `check`), is tracked by git, or cannot be written.
        """
        self.check()
        new, elsewhere = not os.path.isdir(self.root), os.environ.get("ROOST_DIR")
        with self.guarded():
            if new and not elsewhere:
                trust.refuse_root(self.project)
            elif new:
                for path in reversed(paths.upwards(os.path.dirname(self.root))):
                    if not os.path.isdir(path):
                        folders.make_folder(path)
            folders.make_folder(self.root)
            self.check()  # an installer whose store was removed may have made it, open to others
            for path in self._folders:
                folders.make_folder(path)
            for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", CACHEDIR_TAG)):
                if not os.path.lexists(f"{self.root}/{name}"):
                    files.write(f"{self.root}/{name}", text)
        if not (new or elsewhere):  # a checkout would have made what git tracks
            trust.refuse_tracked(self.project, self.root)

    def claim(self) -> None:
        """Make the folder of this path of the checkout, under the build lock.

        The first path keeps the top of the store, where users look for links. It loses that when the project certainly
        moved, or is a copy: when it was used in this very place, and is not the same folder there now. A container has
        another place, and its paths say nothing about a host's.

        Raises:
            RoostError: something else than a folder is in the way.
            OSError: it cannot be made.
        """
        path, place = views.first(self.project)
        here = proc.place()
        if path != self.project and place == here and not paths.is_same_file(path, self.project):
            path = self.project
        if path == self.project:
            if (path, here) != views.first(self.project):
                files.write(f"{self.data}/first", f"{here}\n{path}")
                shutil.rmtree(views.other(path), ignore_errors=True)
            return
        own = views.other(self.project)
        for folder in (os.path.dirname(own), own, f"{own}/index", f"{own}/python", f"{own}/links"):
            folders.make_folder(folder)

    def failure(self, error: OSError) -> RoostError:
        """Return `error`, about a file of this folder, as an error with the path and what to do."""
        if isinstance(error, FileNotFoundError):
            return VanishedError(f"`{error.filename}` was removed while it was used")
        if error.errno in locks.UNSUPPORTED:
            return RoostError(
                f"flock does not work in `{self.root}` ({error.strerror}), and roost never continues unlocked: "
                "set `ROOST_DIR` to a folder on a local disk"
            )
        cure = "make it writable, or set `ROOST_DIR` to a folder that is"
        if error.errno == errno.ENAMETOOLONG:
            cure = "use a shorter name"
        elif error.errno in _NOT_OURS:
            cure = "roost did not put it there, so remove it"
        path = error.filename2 or error.filename or self.root
        return RoostError(f"`{path}` cannot be used: {error.strerror}; {cure}")

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn the operating system's errors about this folder into roost's.

        Raises:
            VanishedError: a file was removed meanwhile.
            RoostError: anything else, with the path and what to do.
        """
        try:
            yield
        except OSError as error:
            raise self.failure(error) from error
