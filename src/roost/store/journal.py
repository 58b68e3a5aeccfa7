"""The journal: one JSON line for each build, wait, failure and removal."""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from roost.store.store import Store
from roost.system import files, locks

SIZE_LIMIT = 1 << 20  # bytes; older lines move to `journal.1`, of which there is one
LONGEST = 86400.0  # seconds; a longer time comes from a clock that jumped


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
        """How long it took; 0 where that is unknown."""
        value = self.fields.get("seconds", 0.0)
        return float(value) if isinstance(value, (int, float)) and 0 <= value < LONGEST else 0.0

    @property
    def begun(self) -> float:
        """When it began, in seconds since the epoch."""
        return self.at.timestamp() - self.seconds

    def text(self) -> str:
        """Return the event as one line."""
        holder = self.fields.get("holder") or "another build"
        env, command = self.fields.get("environment", "?"), self.fields.get("command", "")
        env += f"` for the session `{self.fields['session']}" if self.fields.get("session") else ""
        by = f" for `{command}`" if command else ""
        took = f"in {self.seconds:.1f} s"
        why = f": {self.fields['why']}" if self.fields.get("why") else ""
        text = {
            "build": f"built `{env}` {took}{by}",
            "wait": f"`{command or env}` waited {self.seconds:.1f} s for {holder}",
            "failure": f"failed to build `{env}` {took}{by}{why}",
            "removal": f"removed {self.fields.get('venv', '?')}",
        }.get(self.event, f"{self.event} {env}")
        return f"{self.at:%Y-%m-%d %H:%M:%S}  pid {self.pid:<7}  {text}"


def write(store: Store, event: str, **fields: Any) -> None:
    """Append one line. A journal that cannot be written stops nothing."""
    at = datetime.now().astimezone().isoformat(timespec="milliseconds")
    line = json.dumps({"at": at, "event": event, "pid": os.getpid(), **fields})
    path = f"{store.data}/journal"
    try:
        descriptor = files.open_for_appending(path)
        try:
            full = os.fstat(descriptor).st_size > SIZE_LIMIT
            if locks.has_one_name(descriptor):
                os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)
        if full:
            files.replace(path, f"{path}.1")
    except OSError:
        return


def read(store: Store) -> Iterator[Event]:
    """Yield the events, the oldest first. Lines that a crash or a full disk cut short are left out."""
    for path in (f"{store.data}/journal.1", f"{store.data}/journal"):
        try:
            descriptor = files.open_own(path)
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
