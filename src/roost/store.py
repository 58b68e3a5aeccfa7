"""The store: the `.roost` folder, what lies in it, and how a venv comes into it and leaves it."""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from roost import files, index, locks, process, report
from roost.errors import RoostError, UsageError, VanishedError
from roost.inputs import text_of

CACHEDIR_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# Made by roost: virtualenvs that can be made again. See https://bford.info/cachedir/
"""
JOURNAL_LIMIT = 1 << 20  # bytes; older lines move to `journal.1`, of which there is one
_NO_FLOCK = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
_ODD = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EMLINK)
_FINGERPRINT = re.compile(r"[0-9a-f]{16}", re.ASCII)
_VENV = re.compile(r"venv-[a-z0-9]{6}", re.ASCII)
_PAST = re.compile(r".+:[0-9a-f]{16}", re.ASCII)  # an index of one state: `roost.recall`
_CURRENT = re.compile(r"/(?:\.roost|%2F[^/]*)/current/default\Z")
_IN_V1 = ("index", "python", "envs", "trash")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Store:
    """The folder of one project. Its paths are strings without links; making one touches nothing."""

    def __init__(self, project: str) -> None:
        """Name the folder of `project`, an absolute path without links."""
        self.project = project
        self.root = index.folder(project)
        self.v1 = f"{self.root}/v1"
        self.lock = f"{self.root}/lock"
        self._folders = (self.v1, *(f"{self.v1}/{name}" for name in _IN_V1), f"{self.root}/current")

    def index(self, key: str) -> str:
        """Return the path of the index called `key`."""
        return f"{self.v1}/index/{key}"

    def python(self, key: str) -> str:
        """Return the path of the record of which interpreter was chosen for `key`."""
        return f"{self.v1}/python/{key}"

    def env(self, fingerprint: str) -> str:
        """Return the path of the folder of `fingerprint`."""
        return f"{self.v1}/envs/{fingerprint}"

    def check(self) -> None:
        """Refuse a folder that somebody else has a hand in (rule 8); one that does not exist yet is fine.

        Raises:
            UsageError: `ROOST_DIR` is relative: from another current folder it would be another lock.
            RoostError: its path cannot be on PATH; it is a link, no folder, another user's, or writable by others; or
                one of its own folders is none, such as a link through which roost would write elsewhere.
        """
        elsewhere = os.environ.get("ROOST_DIR")
        if elsewhere and not os.path.isabs(elsewhere):
            message = f"`ROOST_DIR` is `{elsewhere}`: it must be an absolute path"
            raise UsageError(message)
        if ":" in self.root:
            message = f"`{self.root}` has a `:`, which ends a folder in PATH: rename it, or set `ROOST_DIR` to another"
            raise RoostError(message)
        try:
            info = os.lstat(self.root)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._failure(error) from error
        if stat.S_ISLNK(info.st_mode):
            fault, cure = "is a link", "remove it; to keep environments elsewhere set `ROOST_DIR`"
        elif not stat.S_ISDIR(info.st_mode):
            fault, cure = "is not a folder", "move it away"
        elif info.st_uid != os.geteuid():
            fault = f"belongs to another user (uid {info.st_uid}, you are {os.geteuid()})"
            cure = "remove it, or set `ROOST_DIR` to a folder of your own"
        elif info.st_mode & 0o022:
            fault, cure = (
                "can be written by others",
                f"`chmod 700 {self.root}` if you trust what is in it, else remove it",
            )
        else:
            for path in self._folders:
                files.refuse_other_than_folder(path)
            return
        message = f"`{self.root}` {fault}, so nothing in it can be trusted: {cure}"
        raise RoostError(message)

    def prepare(self) -> None:
        """Make the folder and what belongs in it.

        Raises:
            RoostError: it cannot be trusted (see `check`), is tracked by git, or cannot be written.
        """
        self.check()
        try:
            if not os.path.isdir(self.root):
                if os.environ.get("ROOST_DIR"):
                    os.makedirs(os.path.dirname(self.root), mode=0o700, exist_ok=True)
                else:
                    self._refuse_as_root()
                self._introduce()
            for path in (self.root, *self._folders):
                files.make_folder(path)
            for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", CACHEDIR_TAG)):
                if not os.path.lexists(f"{self.root}/{name}"):
                    files.write(f"{self.root}/{name}", text)
        except OSError as error:
            raise self._failure(error) from error
        self.check()
        self._refuse_tracked()

    def _refuse_as_root(self) -> None:
        owner = os.stat(self.project).st_uid
        if os.geteuid() == 0 != owner:
            message = (
                f"`{self.project}` belongs to another user (uid {owner}), who could not remove what root leaves there: "
                "run this as that user, or set `ROOST_DIR` to a folder of root's"
            )
            raise RoostError(message)

    def _introduce(self) -> None:
        """Say once that `/.roost` belongs in `.gitignore`: build backends read only the one at the root."""
        if os.environ.get("ROOST_DIR") or not os.path.exists(f"{self.project}/.git"):
            return
        if any(line.strip().strip("/") == ".roost" for line in text_of(f"{self.project}/.gitignore").splitlines()):
            return
        report.warning(f"add the line `/.roost` to `{self.project}/.gitignore`, where build backends look for it too")

    def _refuse_tracked(self) -> None:
        git = shutil.which("git")
        if git is None or os.environ.get("ROOST_DIR"):
            return
        # Without its monitor, which would be a program that the repository's own configuration names.
        command = [git, "-c", "core.fsmonitor=false", "ls-files", "--", ".roost"]
        status, output = process.run(command, env=process.for_installer(os.environ), cwd=self.project)
        if status == 0 and output.strip():
            message = (
                f"`{self.root}` is tracked by git, so it may hold what somebody else built: "
                "`git rm -r --cached .roost`, commit, and remove the folder"
            )
            raise RoostError(message)

    def _failure(self, error: OSError) -> RoostError:
        if isinstance(error, FileNotFoundError):
            return VanishedError(f"`{error.filename}` was removed meanwhile")
        if error.errno in _NO_FLOCK:
            message = (
                f"flock does not work in `{self.root}` ({error.strerror}), and roost never goes on unlocked: "
                "set `ROOST_DIR` to a folder on a local disk"
            )
            return RoostError(message)
        cure = "make it writable, or set `ROOST_DIR` to a folder that is"
        if error.errno in _ODD:
            cure = "it is not what roost put there, so remove it"
        path = error.filename2 or error.filename or self.root
        return RoostError(f"`{path}` cannot be used: {error.strerror}; {cure}")

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn the operating system's errors about this folder into roost's.

        Raises:
            VanishedError: a file was removed meanwhile.
            RoostError: anything else, with the path and the way out.
        """
        try:
            yield
        except OSError as error:
            raise self._failure(error) from error

    def log(self, event: str, **fields: Any) -> None:
        """Append one line to the journal. A journal that cannot be written stops nothing."""
        at = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "event": event, "pid": os.getpid(), **fields})
        path = f"{self.v1}/journal"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            try:
                full = os.fstat(descriptor).st_size > JOURNAL_LIMIT
                if locks.is_alone(descriptor):
                    os.write(descriptor, f"{line}\n".encode())
            finally:
                os.close(descriptor)
            if full:
                os.replace(path, f"{path}.1")
        except OSError:
            return

    def venvs(self) -> Iterator["Venv"]:
        """Yield every venv there is, of any fingerprint, complete or not, and every lease whose venv is gone."""
        for fingerprint in files.names(f"{self.v1}/envs", _FINGERPRINT):
            folder = self.env(fingerprint)
            files.refuse_other_than_folder(folder)
            names = {name.removesuffix(".lease") for name in os.listdir(folder)}
            yield from (Venv(fingerprint, folder, name) for name in sorted(filter(_VENV.fullmatch, names)))

    def new_attempt(self, fingerprint: str, record: str) -> "Attempt":
        """Make a folder that never was there before, and take its lease (rule 2).

        The lease comes first: no venv is ever without one.
        """
        folder = self.env(fingerprint)
        files.make_folder(folder)
        while True:
            venv = Venv(fingerprint, folder, f"venv-{_random()}")
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(venv.lease, flags, 0o600)
            except FileExistsError:
                continue
            if not locks.try_flock(descriptor, fcntl.LOCK_SH):  # a clean-up that found it; it is not ours then
                os.close(descriptor)
                continue
            try:
                locks.write_record(descriptor, record)  # without it, nobody would wait for what an orphan still writes
                os.mkdir(venv.path, 0o700)
            except OSError:
                os.unlink(venv.lease)
                os.close(descriptor)
                raise
            return Attempt(venv, locks.out_of_the_way(descriptor))

    def remove(self, venv: "Venv", *, marker: bool) -> bool:
        """Take `venv` out of use, with its marker if that names it, under the build lock; return whether it went.

        It stays where anything holds its lease (rule 7). What is renamed into `trash` is deleted by `empty_trash`.
        """
        envs = os.open(f"{self.v1}/envs", files.FOLDER)
        try:
            folder = os.open(venv.fingerprint, files.FOLDER, dir_fd=envs)
        finally:
            os.close(envs)
        trash = os.open(f"{self.v1}/trash", files.FOLDER)
        lease = None
        try:
            with contextlib.suppress(FileNotFoundError):
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                if stat.S_ISREG(os.stat(f"{venv.name}.lease", dir_fd=folder, follow_symlinks=False).st_mode):
                    lease = os.open(f"{venv.name}.lease", flags, dir_fd=folder)
            if lease is not None and not locks.try_flock(lease, fcntl.LOCK_EX):
                return False
            if marker and lease is not None:  # without a lease, it may be the marker of one that was built after a wipe
                os.unlink("complete", dir_fd=folder)
            for name in (venv.name, f"{venv.name}.lease"):  # whatever a lease is that is no file, it goes, too
                with contextlib.suppress(FileNotFoundError):
                    os.rename(name, f"{name}-{os.urandom(4).hex()}", src_dir_fd=folder, dst_dir_fd=trash)
            with contextlib.suppress(OSError):  # not empty: other venvs of this fingerprint
                os.rmdir(self.env(venv.fingerprint))
            return True
        finally:
            for descriptor in (lease, trash, folder):
                if descriptor is not None:
                    os.close(descriptor)

    def empty_trash(self) -> None:
        """Delete what was renamed away, without following links. Needs no lock: nothing in there is in use."""
        with contextlib.suppress(OSError):
            trash = os.open(f"{self.v1}/trash", files.FOLDER)
            try:
                for name in os.listdir(trash):
                    with contextlib.suppress(FileNotFoundError):  # others empty it, too
                        if stat.S_ISDIR(os.stat(name, dir_fd=trash, follow_symlinks=False).st_mode):
                            shutil.rmtree(name, ignore_errors=True, dir_fd=trash)
                        else:  # a lease, or what was put in place of a venv: `rmtree` would open it, and wait at a FIFO
                            os.unlink(name, dir_fd=trash)
            finally:
                os.close(trash)

    def sweep(self, before: float) -> None:
        """Remove what killed processes left half-written, if last changed before `before`. Under the build lock.

        Also the folders of fingerprints without a venv. Only ever by a name that `index.temporary` makes.
        """
        fingerprints = [self.env(name) for name in files.names(f"{self.v1}/envs", _FINGERPRINT)]
        for path in (self.root, f"{self.root}/current", f"{self.v1}/index", f"{self.v1}/python", *fingerprints):
            with contextlib.suppress(OSError):
                files.sweep(path, before)
        for path in fingerprints:
            with contextlib.suppress(OSError):
                if os.listdir(path) == ["complete"]:  # of a venv that somebody removed
                    os.unlink(f"{path}/complete")
                os.rmdir(path)
        kept = set(files.names(f"{self.v1}/envs", _FINGERPRINT))
        for name in files.names(f"{self.v1}/index", _PAST):
            if name.rpartition(":")[2] not in kept:
                with contextlib.suppress(OSError):
                    os.unlink(self.index(name))

    def point(self, env: str, venv: str, link: str | None) -> None:
        """Let `current/ENV` lead to `venv`, and the project's `.venv` to that where the settings want it."""
        current = f"{self.root}/current/{env}"
        files.make_folder(f"{self.root}/current")
        files.link(current, venv)
        if link and env == "default":
            path = f"{self.project}/{link}"
            if os.path.lexists(path) and not _is_ours(path):
                report.warning(f"`{path}` exists and is not roost's, so it stays as it is: remove it to get the link")
            else:
                files.link(path, current)

    def pointed(self) -> dict[str, str]:
        """Return which venv of this store `current` leads to for each environment; a copied one leads elsewhere."""
        try:
            links = {entry.name: entry.path for entry in os.scandir(f"{self.root}/current") if entry.is_symlink()}
            found = {name: os.readlink(path) for name, path in links.items()}
        except FileNotFoundError:
            return {}
        here = f"{self.v1}/envs/"
        return {name: target for name, target in found.items() if target.startswith(here) and os.path.isdir(target)}


class Venv(NamedTuple):
    """The place of one venv."""

    fingerprint: str
    folder: str
    name: str

    @property
    def path(self) -> str:
        """The venv's folder."""
        return f"{self.folder}/{self.name}"

    @property
    def lease(self) -> str:
        """The file that is flocked by whatever runs in it."""
        return f"{self.path}.lease"


class Attempt:
    """A venv that is being built, and the builder's lease on it."""

    def __init__(self, venv: Venv, lease: int) -> None:
        """Hold `venv` by the descriptor `lease`."""
        self.venv = venv
        self.lease = lease
        self.label = ""
        """What is being run, for the journal."""
        self.filled = False
        """Whether the installer has done its part."""
        self.folders: list[str] = []
        """`site-packages` and `bin`, once they are known."""
        self.files: dict[str, int | str] = {}
        """What is in it, once it is filled: `inventory.take`."""
        self.published = False
        self._begun = time.monotonic()

    def seconds(self) -> float:
        """Return how long it has been under way."""
        return round(time.monotonic() - self._begun, 3)

    def intact(self) -> bool:
        """Return whether the venv is there, and its lease file still is the one that others would open."""
        return os.path.isdir(self.venv.path) and locks.is_at(self.lease, self.venv.lease)

    def open_log(self) -> int:
        """Return the descriptor of a file for an installer's output; the file has no name any more."""
        path = index.temporary(self.venv.path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.unlink(path)
        return descriptor


def _random() -> str:
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(6))


def is_venv(name: str) -> bool:
    """Return whether `name` is one that roost gives to venvs."""
    return _VENV.fullmatch(name) is not None


def _is_ours(path: str) -> bool:
    """Return whether `path` is a link that roost made, perhaps before the project moved or `ROOST_DIR` did."""
    return os.path.islink(path) and _CURRENT.search(os.readlink(path)) is not None
