"""Commands that start a tool in a project's environment, and what `roost init` makes of them."""

from pathlib import Path

import pytest

from roost.init.commands import Translator


@pytest.mark.parametrize(
    ("before", "after", "tools"),
    [
        ("uv run mypy src", "roost-run mypy src", ["mypy"]),
        ("uv run --locked -q ruff check --fix", "roost-run ruff check --fix", ["ruff"]),
        ("uv run -- ruff check", "roost-run ruff check", ["ruff"]),
        ("uv run --project backend mypy", "roost run --project backend mypy", ["mypy"]),
        ("uv run --directory=backend -p 3.12 mypy", "roost run --directory=backend --python 3.12 mypy", ["mypy"]),
        ("uv run --group typing --frozen mypy", "roost run --group typing --frozen mypy", []),
        ("uv run -m pytest -q", "roost-run python -m pytest -q", ["pytest"]),
        ("uv run python -m scripts.check", "roost-run python -m scripts.check", []),
        ("uv run ./scripts/docs.py live", "roost-run python ./scripts/docs.py live", []),
        ("poetry run mypy", "roost-run mypy", ["mypy"]),
        ("pdm run mypy", "roost-run mypy", ["mypy"]),
        ("pdm run ./tests/check.py", "roost-run python ./tests/check.py", []),
        ("mypy src", "roost-run mypy src", ["mypy"]),
        ("python -m mypy", "roost-run python -m mypy", ["mypy"]),
        ("bash -c 'mypy && make'", "bash -c 'roost-run mypy && make'", ["mypy"]),
        ("python mypy.py", "python mypy.py", []),
        ("pylint src", "pylint src", []),
        ("./mypy", "./mypy", []),
        (".venv/bin/mypy src", "roost-run mypy src", ["mypy"]),
        ("./venv/bin/python -m mypy", "roost-run python -m mypy", ["mypy"]),
        ("./run-in-env.sh pylint -j 0", "roost-run pylint -j 0", ["pylint"]),
        ("script/run-in-env.sh python3 -m mypy", "roost-run python3 -m mypy", ["mypy"]),
        ("bash -c 'A=1 uv run mypy && uv run ruff check'", "bash -c 'A=1 roost-run mypy && roost-run ruff check'", ["mypy", "ruff"]),
        ("cd docs; uv run make", "cd docs; roost-run make", ["make"]),
        ("roost-run mypy; roost run -q ruff", "roost-run mypy; roost run -q ruff", ["mypy", "ruff"]),
        ("npx eslint", "npx eslint", []),
        ("uv sync", "uv sync", []),
        ("uv run", "uv run", []),
        ("echo uv run mypy", "echo uv run mypy", []),
        ("uvx ruff", "uvx ruff", []),
    ],
)  # fmt: skip
def test_commands(before: str, after: str, tools: list[str]) -> None:
    """The project lists mypy, roost and uv."""
    translator = Translator("/nowhere", is_listed={"mypy", "roost", "uv"}.__contains__)
    assert translator.translate(before) == after
    assert (translator.tools, translator.left) == (tools, [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("uv run --with rich python x.py", "`uv run --with` has no equivalent in roost"),
        ("hatch run lint:all", "`hatch run` has environments of its own"),
        ("pdm run lint", "`pdm run lint` is a script in `[tool.pdm.scripts]`"),
        ("uv run solo.py", "`solo.py` lists its own dependencies, and runs in an environment of its own"),
    ],
)
def test_commands_that_stay_are_named_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "solo.py").write_text("# /// script\n# dependencies = []\n# ///\n")
    translator = Translator(str(tmp_path), scripts={"lint"})
    assert translator.translate(text) == text
    assert (translator.tools, translator.left) == ([], [why])


def test_folder_without_a_project_needs_its_name() -> None:
    """The configuration at the top of a repository, whose projects are in subfolders."""
    translator = Translator("/nowhere", is_project=False)
    assert translator.translate("uv run mypy") == "uv run mypy"
    assert translator.translate("uv run --project backend mypy") == "roost run --project backend mypy"
