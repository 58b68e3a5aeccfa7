"""The journal: one JSON line for each build, wait, failure and removal. This reads it; `Store.log` writes it."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from roost.index import open_own
from roost.store import Store

VERSION = 1  # of what `--json` prints
LONGEST = 86400.0  # seconds; who claims to have taken longer has a clock that jumped


class Event(NamedTuple):
    """One line of the journal."""

    at: datetime
    """When it ended."""
    event: str
    """`build`, `wait`, `failure`, `removal`, or one of a newer roost's."""
    pid: int
    fields: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long it took, where that was noted."""
        value = self.fields.get("seconds", 0.0)
        return float(value) if isinstance(value, (int, float)) and 0 <= value < LONGEST else 0.0

    @property
    def begun(self) -> float:
        """When it began, in seconds since the epoch."""
        return self.at.timestamp() - self.seconds

    def words(self) -> str:
        """Return what happened, for people."""
        holder = self.fields.get("holder") or "another build"
        env, command = self.fields.get("environment", "?"), self.fields.get("command", "")
        by = f" for `{command}`" if command else ""
        took = f"in {self.seconds:.1f} s"
        why = f": {self.fields['why']}" if self.fields.get("why") else ""
        text = {
            "build": f"built `{env}` {took}{by}",
            "wait": f"`{command or env}` waited {self.seconds:.1f} s for {holder}",
            "failure": f"failed to build `{env}` {took}{by}{why}",
            "restored": f"found `{env}` whole after it was restored from a cache",
            "removal": f"removed {self.fields.get('venv', '?')}",
        }.get(self.event, f"{self.event} {env}")
        return f"{self.at:%Y-%m-%d %H:%M:%S}  pid {self.pid:<7}  {text}"


def read(store: Store) -> Iterator[Event]:
    """Yield the events, the oldest first; lines that a crash or a full disk cut short are left out."""
    for path in (f"{store.v1}/journal.1", f"{store.v1}/journal"):
        try:
            descriptor = open_own(path)
        except OSError:
            continue
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            for line in file:
                if event := _parse(line):
                    yield event


def _parse(line: str) -> Event | None:
    try:
        fields = json.loads(line)
        at = datetime.fromisoformat(fields.pop("at")).astimezone()
        at.timestamp()
        return Event(at, str(fields.pop("event")), int(fields.pop("pid")), fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None
