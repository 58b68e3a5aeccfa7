"""A session that runs a program which its environment lacks."""

from tests.lib.nox_sessions import nox, session, write_noxfile
from tests.lib.projects import Project


def test_missing_program_leads_to_where_to_add_it(built: Project) -> None:
    write_noxfile(built, session("tests", "session.run('no-such-tool', '-q')"))
    got = nox(built)
    assert got.returncode == 1
    assert "Program no-such-tool not found" not in got.stderr
    text = (
        "roost: `no-such-tool` is not in the environment `default`: add the package that brings it to the group `dev`"
    )
    assert text in got.stderr
    assert "Traceback" not in got.stderr


def test_program_from_elsewhere_is_left_to_nox(built: Project) -> None:
    lines = ["session.run('sh', '-c', 'echo out')", "session.run('nowhere', external=True)"]
    write_noxfile(built, session("tests", *lines))
    got = nox(built)
    assert got.stdout == "out\n"
    assert "Program nowhere not found" in got.stderr
