"""The changelog's fragments."""

from pathlib import Path

import pytest

from tools import changelog


def test_every_fragment_of_this_repository_is_well_named() -> None:
    found = changelog.fragments(changelog.ROOT)
    for path in (path for paths in found.values() for path in paths):
        assert len(path.read_text().split()) > 3


def test_release_moves_fragments_into_the_changelog(tmp_path: Path) -> None:
    (tmp_path / "changes").mkdir()
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## 0.1 (2026-01-01)\n\n- First.\n")
    for name, text in (("README", "-"), ("b.fixed", "Two\nlines.\n"), ("a.added", "One."), ("c.added", "Three.")):
        (tmp_path / f"changes/{name}.md").write_text(text)
    changelog.release(tmp_path, "0.2", "2026-02-01")
    assert (tmp_path / "CHANGELOG.md").read_text() == (
        "# Changes\n\n## 0.2 (2026-02-01)\n\n### Added\n\n- One.\n- Three.\n\n### Fixed\n\n- Two lines.\n"
        "\n## 0.1 (2026-01-01)\n\n- First.\n"
    )
    assert [path.name for path in (tmp_path / "changes").iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    ("name", "text"), [("a.md", "x"), ("a.new.md", "x"), ("a.added.txt", "x"), ("a.added.md", " ")]
)
def test_a_fragment_that_no_release_would_take_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "changes").mkdir()
    (tmp_path / f"changes/{name}").write_text(text)
    with pytest.raises(ValueError, match=rf"`{name}` must have text, and a name such as"):
        changelog.fragments(tmp_path)
