"""A start that finds everything unchanged: the index, which it compares instead of hashing, and the start itself.

An index is lines of text, so that a shell script can use it too (`hooks/roost-run`)::

    roost index 4
    project /home/me/project
    name default
    venv /home/me/project/.roost/.venv/.v2/envs/3f9c2a7be1d04c55/venv-k3x9q2
    lease 1234567
    boot 0a1b2c3d-4e5f-6789-abcd-ef0123456789
    member /home/me/project/packages/a
    link .venv
    set UV_PREVIEW 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
    unset UV_NO_BINARY UV_NO_BUILD
    <tab>
    /home/me/pyproject.toml
    /home/me/project/pyproject.toml
    <tab>
    1234 567 1700000000.123456789 1700000000.123456789 /home/me/project/pyproject.toml
    <tab>
    5891b5b522d5df08... /home/me/project/pyproject.toml
    <tab>

A line with a single tab ends each paragraph: a separator by which a shell splits quickly. The second paragraph lists
all that the venv's validity rests on. The third is what ``stat -L -c '%i %s %.9Y %.9Z %n'`` printed for these paths,
without a line for those that do not exist. The fourth has the SHA-256 of each input that was read whole; a warm start
ignores it, and a start in an earlier state compares it (`earlier_states`). Everything is compared for equality, never
for order: clocks jump.

There is one file for each state, `KEY:FINGERPRINT`, and a copy of the latest, `KEY`.
"""

import os

from roost.system import files, locks, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

FORMAT = "roost index 4"
BREAK = "\t"  # the line that ends a paragraph
INNER = ".venv/.v2"  # build backends, formatters and linters skip a folder named `.venv` at any depth
SIZE_LIMIT = 16 << 20  # bytes of an index
NAME_LIMIT = 120  # bytes of a selection's name: with the Python and the fingerprint it is the name of a file
PYTHON_LIMIT = 100  # bytes of that Python
LISTS = ("groups", "only_groups", "no_groups", "extras", "packages")
FLAGS = ("all_extras", "frozen")
_TRUE = ("1", "true", "t", "yes", "y", "on")  # what uv takes for true in its variables


class Selection:
    """What to install and with which Python: an environment of the settings, and options that change what it holds."""

    __slots__ = ("all_extras", "env", "extras", "frozen", "groups", "no_groups", "only_groups", "packages", "python")

    def __init__(  # noqa: PLR0913 - all but the first by name
        self,
        env: str = "default",
        *,
        python: "str | None" = None,
        groups: "Iterable[str]" = (),
        only_groups: "Iterable[str]" = (),
        no_groups: "Iterable[str]" = (),
        extras: "Iterable[str]" = (),
        all_extras: bool = False,
        packages: "Iterable[str]" = (),
        frozen: bool = False,
    ) -> None:
        """Select `env`. The order and repetition of names do not matter."""
        self.env = env
        self.python = python
        self.groups = sorted({*groups})
        self.only_groups = sorted({*only_groups})
        self.no_groups = sorted({*no_groups})
        self.extras = sorted({*extras})
        self.all_extras = all_extras
        self.packages = sorted({*packages})
        self.frozen = frozen

    @property
    def options(self) -> "list[tuple[str, str]]":
        """Its options besides `--env` and `--python`: the name, and the value, which is empty for a switch."""
        found = [(option(field), value) for field in LISTS for value in getattr(self, field)]
        return found + [(option(field), "") for field in FLAGS if getattr(self, field)]

    @property
    def name(self) -> str:
        """Its name in messages, links and the store: the environment, then the options, as in `default+group=docs`.

        `env` and its options alone are in it, not the Python.
        """
        parts = [_word(self.env), *(f"{name}={_word(value)}" if value else name for name, value in self.options)]
        name = "+".join(parts)
        if len(parts) == 1 or len(os.fsencode(name)) <= NAME_LIMIT:
            return name
        import hashlib  # noqa: PLC0415 - only for a name of that length

        return f"{parts[0]}+{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"

    @property
    def key(self) -> str:
        """The name of its files in the store, such as its index: `name`, and the requested Python.

        `keys.parse` reads it.
        """
        return self.name + self._at_python

    @property
    def choice(self) -> str:
        """The name of the record of its Python: the environment, and the requested Python."""
        return _word(self.env) + self._at_python

    @property
    def _at_python(self) -> str:
        python = self.python
        if python and paths.is_path(python):
            python = paths.absolute(python)  # relative to the current folder, which another start need not have
        return f"@{paths.quote(python, PYTHON_LIMIT)}" if python else ""


def option(field: str) -> str:
    """Return the command-line option for a field of `Selection`, without its dashes."""
    return (field[:-1] if field in LISTS else field).replace("_", "-")


OPTIONS = {"--env": "env", "--python": "python"} | {f"--{option(field)}": field for field in LISTS}
SWITCHES = {f"--{option(field)}": field for field in FLAGS}


def take_option(selected: "dict[str, Any]", words: "list[str]") -> bool:
    """Move the option at the beginning of `words` into `selected`, the arguments of `select`.

    Returns False where the words begin with no option that selects, or where its value is missing.
    """
    name, equals, value = words[0].partition("=")
    field = OPTIONS.get(name)
    if words[0] in SWITCHES:
        selected[SWITCHES[name]] = True
    elif field and (equals or words[1:]):
        value = value if equals else words.pop(1)
        selected[field] = [*selected.get(field, ()), value] if field in LISTS else value
    else:
        return False
    del words[0]
    return True


def _word(text: str) -> str:
    return paths.quote(text).replace("+", "%2B").replace("@", "%40").replace("=", "%3D")


def select(
    env: "str | None" = None,
    *,
    python: "str | None" = None,
    groups: "Iterable[str] | None" = None,
    extras: "Iterable[str] | None" = None,
    frozen: "bool | None" = None,
    **others: "Any",
) -> Selection:
    """Return the selection with these options. `None` means what the variables say.

    These are `ROOST_ENV`, `ROOST_GROUPS`, `ROOST_EXTRAS` and `UV_FROZEN`. `only_groups` replaces both lists of names,
    and `all_extras` that of the extras.
    """
    env = env or os.environ.get("ROOST_ENV") or "default"
    if groups is None:
        groups = () if others.get("only_groups") else names_in("ROOST_GROUPS")
    if extras is None:
        extras = () if others.get("only_groups") or others.get("all_extras") else names_in("ROOST_EXTRAS")
    if frozen is None:
        frozen = os.environ.get("UV_FROZEN", "").lower() in _TRUE
    return Selection(env, python=python, groups=groups, extras=extras, frozen=frozen, **others)


def names_in(variable: str) -> "list[str]":
    """Return the names in an environment variable, separated by commas or spaces."""
    return os.environ.get(variable, "").replace(",", " ").split()


def folder(project: str) -> str:
    """Return the folder with all files of roost for `project`, an absolute path without links."""
    elsewhere = os.environ.get("ROOST_DIR")
    return f"{paths.absolute(elsewhere)}/{paths.quote(project)}" if elsewhere else f"{project.rstrip('/')}/.roost"


def session_folder(project: str, session: str) -> str:
    """Return the name of the folder in the store for the own venvs of a nox session in this path of the checkout."""
    import hashlib  # noqa: PLC0415 - for nox, which imports it

    return f"session-{hashlib.sha256(f'{project}//{session}'.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


class Index:
    """An index: what a venv's validity rests on, and the signatures that it had."""

    __slots__ = (
        *("boot", "digests", "expected", "lease_inode", "link", "members", "name", "paths", "project", "variables"),
        "venv",
    )

    project: str
    name: str
    """Its file's name for the latest state, see `key`: some file systems take `Docs` and `docs` for one name."""
    venv: str
    lease_inode: int
    boot: str
    """The boot in which the venv was last known to be complete."""
    members: "list[str]"
    """Folders of workspace members."""
    link: "str | None"
    """The setting `link`."""
    variables: "dict[str, str]"
    """The environment variables that count, with what `value` returned for each."""
    paths: "list[str]"
    expected: str
    """What `stat` printed."""
    digests: "list[str]"
    """Lines of a SHA-256 and a path."""

    @classmethod
    def parse(cls, text: str) -> "Index":
        """Return the index in `text`.

        Raises:
            ValueError: `text` is no index of this format, or was cut short.
        """
        if "\0" in text:
            raise ValueError(FORMAT)
        found = cls()
        head, listed, found.expected, digests, end = text.split(f"\n{BREAK}\n")
        kind, project, name, venv, lease, boot, *others = head.split("\n")
        if kind != FORMAT or end or not (project.startswith("project ") and venv.startswith("venv ")):
            raise ValueError(FORMAT)
        found.project = project[8:]
        found.name = name.removeprefix("name ")
        found.venv = venv[5:]
        found.lease_inode = int(lease.removeprefix("lease "))
        found.boot = boot.removeprefix("boot ")
        found.members = [line[7:] for line in others if line.startswith("member ")]
        found.link = next((line[5:] for line in others if line.startswith("link ")), None)
        found.variables = {name: "" for line in others if line.startswith("unset ") for name in line.split(" ")[1:]}
        found.variables |= dict(line[4:].split(" ") for line in others if line.startswith("set "))
        found.paths = listed.split("\n")
        found.digests = digests.split("\n")
        return found

    def text(self) -> str:
        """Return the content of its file."""
        head = [
            FORMAT,
            f"project {self.project}",
            f"name {self.name}",
            f"venv {self.venv}",
            f"lease {self.lease_inode}",
            f"boot {self.boot}",
        ]
        head += [f"member {path}" for path in self.members]
        head += [f"link {self.link}"] if self.link else []
        head += [f"set {name} {digest}" for name, digest in self.variables.items() if digest]
        unset = [name for name, digest in self.variables.items() if not digest]
        head += [f"unset {' '.join(unset)}"] if unset else []
        paragraphs = ["\n".join(head), "\n".join(self.paths), self.expected, "\n".join(self.digests), ""]
        return f"\n{BREAK}\n".join(paragraphs)

    def holds(self) -> bool:
        """Return whether every path has the signature it had, or is still missing, and the machine did not restart.

        The variables are the same, too.
        """
        same = all(value(name) == digest for name, digest in self.variables.items()) and self._has_same_settings()
        return same and stat(self.paths) == self.expected and files.boot_id() == self.boot

    def _has_same_settings(self) -> bool:
        """Return whether uv reads the same settings now, though `HOME` may be another; or none then and now."""
        other = [path for path in settings_of_uv() if path not in self.paths] if self.variables else []
        return not other or not ("/uv/uv.toml\n" in f"{self.expected}\n" or any(map(os.path.exists, other)))

    def write(self, fingerprint: str, settled: int) -> None:
        """Write it for the state `fingerprint`, and as the latest one of its name, unless an input is too young.

        `settled` is when the last of the inputs settles (`files.settles`), in nanoseconds. The next start hashes again
        where that is not over yet.

        Raises:
            OSError: the folder is gone, full or read-only.
        """
        from roost.warm import views  # noqa: PLC0415 - only to write

        folder, text = f"{views.own(self.project)}/index", self.text()
        for one in (f"{self.name}{paths.STATE}{fingerprint}", self.name):
            files.write(f"{folder}/{one}", text, accept=lambda info: settled < info.st_mtime_ns)


def settings_of_uv() -> "list[str]":
    """Return the files with uv's settings of the user and the system, existing or not."""
    own = os.environ.get("XDG_CONFIG_HOME", "")
    systems = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    folders = [own if os.path.isabs(own) else os.path.expanduser("~/.config"), *systems.split(os.pathsep), "/etc"]
    return [f"{folder}/uv/uv.toml" for folder in folders if os.path.isabs(folder)]


def value(name: str) -> str:
    """Return a hash of the value of an environment variable, which may contain a password; empty where it has none."""
    text = os.environ.get(name)
    if not text:
        return ""
    import hashlib  # noqa: PLC0415 - most users set none of these variables

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def stat(names: "Iterable[str]") -> str:
    """Return a line for each existing path of `names`: what ``stat -L -c '%i %s %.9Y %.9Z %n'`` prints."""
    found = ((files.signature(path), path) for path in names)
    return "\n".join(f"{signature} {path}" for signature, path in found if signature != files.ABSENT)


def load(project: str, name: str) -> "Index | None":
    """Return the index called `name` of `project`, or None where there is none, or none that can be trusted."""
    root = folder(project)
    try:
        if not files.is_private_folder(root) or (os.environ.get("ROOST_DIR") and files.exposed(root)):
            return None  # the slow path reports it
    except OSError:
        return None
    envs = f"{root}/{INNER}/envs"
    index = _read(f"{root}/{INNER}/index/{name}")
    if index is None or index.project != project:
        from roost.warm import views  # noqa: PLC0415 - not where the latest index is of this path

        index = _read(f"{views.other(project)}/index/{name}")
    # A copied project brings the index of its original.
    own = index and index.project == project and os.path.dirname(os.path.dirname(index.venv)) == envs
    return index if index and own and index.name == name.partition(paths.STATE)[0] else None


def _read(path: str) -> "Index | None":
    try:
        return Index.parse(os.fsdecode(files.read_own(path, SIZE_LIMIT)))
    except (OSError, ValueError):
        return None


def _find(start: str, name: str) -> "tuple[Index, str] | None":
    """Return the index of the project around `start`, an absolute path without links, and its member."""
    nearest = None
    for here in paths.upwards(start):
        if nearest is None and os.path.exists(f"{here}/pyproject.toml"):
            nearest = here
        if nearest is not None:
            index = load(here, name)
            if index and (here == nearest or nearest in index.members):
                return index, nearest
    return None


def start(folder: str, name: str) -> "tuple[Index, int] | None":
    """Return the index called `name` for `folder`, and the descriptor of a lease on its venv.

    Returns None where anything changed; the protocol finds out what.
    """
    found = _find(folder, name)
    if found is None:
        return None
    index, nearest = found
    descriptor = lease(index)
    if descriptor is not None:
        return index, descriptor
    from roost.warm import earlier_states  # noqa: PLC0415 - not where everything is unchanged

    return earlier_states.start(index.project, nearest, name)


def lease(index: Index) -> "int | None":
    """Return the descriptor of a lease on the venv of `index`, or None where the index does not hold any more.

    Rule 5: first the lease, then the comparison of everything that the venv's validity rests on.
    """
    try:
        descriptor = locks.take_lease(f"{index.venv}.lease", index.lease_inode)
    except OSError:
        return None
    if descriptor is not None and not index.holds():
        os.close(descriptor)
        return None
    return descriptor
