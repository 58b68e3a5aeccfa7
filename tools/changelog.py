"""Make the changelog from its fragments: `python -m tools.changelog VERSION DATE`.

A fragment is a file `changes/NAME.KIND.md` with one or two sentences for users. Two branches then never change the same
file. A release moves all fragments into `CHANGELOG.md`, sorted by kind.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"added": "Added", "changed": "Changed", "fixed": "Fixed", "removed": "Removed"}
START = "# Changes\n"


def fragments(root: Path) -> dict[str, list[Path]]:
    """Return the fragments by kind.

    Raises:
        ValueError: one has another name, or is empty.
    """
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(root.glob("changes/*")):
        if path.name == "README.md":
            continue
        kind = path.name.split(".")[-2] if path.name.endswith(".md") and path.name.count(".") > 1 else ""
        if kind not in found or not path.read_text().strip():
            message = f"`{path.name}` must have text, and a name such as `quiet-option.added.md`: {', '.join(KINDS)}"
            raise ValueError(message)
        found[kind].append(path)
    return found


def release(root: Path, version: str, date: str) -> None:
    """Move the fragments into the changelog, as the changes of `version`."""
    found = fragments(root)
    lines = [f"## {version} ({date})"]
    for kind, title in KINDS.items():
        if found[kind]:
            items = (" ".join(path.read_text().split()) for path in found[kind])
            lines += ["", f"### {title}", "", *(f"- {item}" for item in items)]
    log = root / "CHANGELOG.md"
    before = log.read_text().removeprefix(START)
    log.write_text(f"{START}\n" + "\n".join(lines) + f"\n{before}")
    for path in (path for paths in found.values() for path in paths):
        path.unlink()


def main(words: Sequence[str]) -> int:
    """Release the version in `words`. Returns the exit status."""
    if len(words) != 2:
        print("python -m tools.changelog VERSION DATE", file=sys.stderr)  # noqa: T201 - what it is for
        return 2
    release(ROOT, *words)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
