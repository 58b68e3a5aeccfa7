"""The index: what a warm start compares instead of hashing, and the warm start itself.

The file is lines of text, so that a shell script can use it too (`hooks/roost-run`)::

    roost index 1
    project /home/me/project
    venv /home/me/project/.roost/v1/envs/3f9c2a7be1d04c55/venv-k3x9q2
    lease 1234567
    boot 0a1b2c3d-4e5f-6789-abcd-ef0123456789
    member /home/me/project/packages/a
    link .venv
    <tab>
    /home/me/pyproject.toml
    /home/me/project/pyproject.toml
    <tab>
    1234 567 1700000000.123456789 1700000000.123456789 /home/me/project/pyproject.toml
    <tab>

Between the paragraphs, and at the end, is a line with a tab alone: what a shell can split by, however long they are.
The second paragraph names all that the venv's validity rests on; the third is what ``stat -L -c '%i %s %.9Y %.9Z %n'``
printed for it, with no line for what was absent. Everything is compared for equality, never for order: clocks jump.
Imported by every warm start, so it imports next to nothing.
"""

import os

from roost import locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = "roost index 1"
BREAK = "\t"  # the line between two paragraphs
ABSENT = "absent"
SIZE_LIMIT = 16 << 20
INPUT_LIMIT = 64 << 20  # bytes; the largest lock files in the field are a few MB
NAME_LIMIT = 255  # bytes in one file name
BLUR = 20_000_000  # nanoseconds that a file system's time stamp may lag behind: two ticks of a kernel with HZ=100
COARSE_BLUR = 2_000_000_000  # the same where stamps are whole seconds (HFS+, ext3) or even ones (FAT)


def describe(info: os.stat_result) -> str:
    """Return the signature of what was stat'ed: inode, size, mtime and ctime, as ``stat`` prints them.

    Not the device: it changes when a container mounts the same folder again.
    """
    mtime, ctime = info.st_mtime_ns, info.st_ctime_ns
    return f"{info.st_ino} {info.st_size} {mtime // 10**9}.{mtime % 10**9:09d} {ctime // 10**9}.{ctime % 10**9:09d}"


def signature(path: str) -> str:
    """Return the signature of the file that `path` leads to, or `ABSENT`."""
    try:
        return describe(os.stat(path))
    except (OSError, ValueError):  # a null byte, from a file that holds anything
        return ABSENT


def quote(text: str) -> str:
    """Return `text` as one file name: a request such as `>=3.12`, or the path of a project."""
    return text.replace("%", "%25").replace("/", "%2F").replace("\n", "%0A").replace(":", "%3A")


def key(env: str, python: str | None) -> str:
    """Return the name under which an environment, and perhaps an explicit Python, keeps its files."""
    if python and "/" in python:
        python = os.path.abspath(python)  # from another folder it would be another
    return quote(f"{env}@{python}" if python else env)


def default_env() -> str:
    """Return the environment that is meant where none is named."""
    return os.environ.get("ROOST_ENV") or "default"


def folder(project: str) -> str:
    """Return the folder that holds everything of roost's for `project` (an absolute path without links)."""
    elsewhere = os.environ.get("ROOST_DIR")
    if not elsewhere:
        return f"{project.rstrip('/')}/.roost"
    name = quote(project)
    if len(os.fsencode(name)) > NAME_LIMIT:
        import hashlib  # noqa: PLC0415 - only where a path is that long

        name = f"%2F{hashlib.sha256(os.fsencode(project)).hexdigest()}"
    return f"{os.path.abspath(elsewhere)}/{name}"


def temporary(path: str) -> str:
    """Return a new name beside `path`, to write there and rename. `Store.sweep` removes what a crash leaves of it.

    Not by the process number: two containers may have the same one here, and threads do.
    """
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{os.urandom(4).hex()}"


def open_own(path: str) -> int:
    """Return a descriptor for reading the file of roost's at `path`.

    Regular, since a FIFO or device may have no end; and of the same user, since a folder may be a link to another's.

    Raises:
        OSError: it is not such a file, a link, or not there.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    info = os.fstat(descriptor)
    if info.st_mode & 0o170000 == 0o100000 and info.st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    raise OSError(path)


class Index:
    """One index file, read but not yet compared with the disk."""

    __slots__ = ("boot", "contents", "expected", "head", "lease", "link", "members", "paths", "project", "venv")

    def __init__(self, text: str) -> None:
        """Parse `text`.

        Raises:
            ValueError: it is not an index of this format, or was cut short.
        """
        if "\0" in text:
            raise ValueError(FORMAT)
        self.head, paths, self.expected, *more, end = text.split(f"\n{BREAK}\n")
        kind, project, venv, lease, boot, *others = self.head.split("\n")
        if kind != FORMAT or end or not (project.startswith("project ") and venv.startswith("venv ")):
            raise ValueError(FORMAT)
        self.boot = boot.removeprefix("boot ")
        self.project = project[8:]
        self.venv = venv[5:]
        self.lease = int(lease.removeprefix("lease "))
        self.members = [line[7:] for line in others if line.startswith("member ")]
        self.link = next((line[5:] for line in others if line.startswith("link ")), None)
        self.paths = paths.split("\n")
        self.contents = more[0].split("\n") if more else []  # for `roost.recall`

    def text(self) -> str:
        """Return it as the file has it."""
        return f"\n{BREAK}\n".join([self.head, "\n".join(self.paths), self.expected, ""])

    def holds(self) -> bool:
        """Return whether everything is as it was, also what was absent, and the machine did not start anew since."""
        return stat(self.paths) == self.expected and boot() == self.boot


def stat(paths: "Iterable[str]") -> str:
    """Return a line for each of `paths` that is there: what ``stat -L -c '%i %s %.9Y %.9Z %n'`` prints."""
    found = ((signature(path), path) for path in paths)
    return "\n".join(f"{sign} {path}" for sign, path in found if sign != ABSENT)


def boot() -> str:
    """Return the kernel's id of the time since the machine started; empty where there is none, as on macOS.

    What was written shortly before a power cut may be there and empty, with the signature it should have.
    """
    try:
        descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 64).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)


def load(project: str, name: str) -> Index | None:
    """Return the index called `name` of `project`, or None when there is none that may be trusted."""
    root = folder(project)
    try:
        info = os.lstat(root)
        # A folder that somebody else can write to proves nothing; the slow path says so in words.
        if info.st_mode & 0o170022 != 0o040000 or info.st_uid != os.geteuid():
            return None
        descriptor = open_own(f"{root}/v1/index/{name}")
        try:
            data = os.read(descriptor, SIZE_LIMIT)
        finally:
            os.close(descriptor)
        index = Index(os.fsdecode(data))
    except (OSError, ValueError):
        return None
    return index if index.project == project else None  # a copied project brings the index of its original


def find(start: str, name: str) -> tuple[Index, str] | None:
    """Return the index that answers for `start`, an absolute path without links inside a project, and its member."""
    nearest = None
    here = start
    while True:
        if nearest is None and os.path.exists(f"{here}/pyproject.toml"):
            nearest = here
        if nearest is not None:
            index = load(here, name)
            if index and (here == nearest or nearest in index.members):
                return index, nearest
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def warm(start: str, name: str) -> tuple[Index, int] | None:
    """Return the index for `start` and the descriptor of a lease on its venv, or None where that takes more."""
    found = find(start, name)
    if found is None:
        return None
    index, nearest = found
    descriptor = lease(index)
    if descriptor is not None:
        return index, descriptor
    from roost import recall  # noqa: PLC0415 - not on a warm start

    return recall.warm(index.project, nearest, name)


def lease(index: Index) -> int | None:
    """Return the descriptor of a lease on the venv of `index`, or None where that does not hold any more.

    Rule 5: first the lease, then the look at everything that the venv's validity rests on.
    """
    try:
        lease = locks.try_lease(f"{index.venv}.lease", index.lease)
    except OSError:
        return None
    if lease is not None and not index.holds():
        os.close(lease)
        return None
    return lease


def write(path: str, text: str, youngest: int) -> None:
    """Write the index `text` to `path`, unless an input is so young that an edit could hide in its time stamp.

    `youngest` is the latest ctime of all inputs, in nanoseconds. An edit after the inputs were read and within the
    same tick leaves the stamp as it was; git calls such an entry racy. The next start hashes again.

    Raises:
        OSError: the folder is gone, full or read-only.
    """
    new = temporary(path)
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, os.fsencode(text))
        now = os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)
    coarse = now % 10**9 == 0 and youngest % 10**9 == 0
    if youngest >= now - (COARSE_BLUR if coarse else BLUR):
        os.unlink(new)
        return
    try:
        os.rename(new, path)
    except OSError:  # a folder is in its way
        os.unlink(new)
        raise
