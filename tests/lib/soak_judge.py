"""The soak's verdict: what was seen, minus what somebody had broken by hand at that time."""

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.lib import integrity
from tests.lib.soak_project import STATES, base_of
from tests.lib.soak_watch import OWN, Watcher

Act = dict[str, Any]
SHADOW = 4.0  # seconds: how long a builder that lost its lock or lease may go on, and others meet its backend
DAMAGE = ("wipe", "delete_venv", "delete_lease", "install")
# What a command may say when it gives up, and what somebody has to have done just before. The last group is what Python
# itself says when its venv goes while it starts.
REFUSALS = (
    (r"roost: the environment `default` .* could not be built", ("switch", "wipe", "delete_venv", "delete_lease")),
    (r"changed during each of 3 builds", ("switch", "touch")),
    (r"removed \d+ times meanwhile|was removed while it was used", ("wipe", "delete_venv", "delete_lease")),
    (r"nothing was removed: the build lock is held by", None),
    (
        r"No module named|No such file|No virtual environment|can't open|not found|not in the environment|cannot be run",
        ("wipe", "delete_venv"),
    ),
)


class Report(NamedTuple):
    """What a soak did and found."""

    seconds: float
    acts: dict[str, int]
    """How often each thing was done."""
    sessions: int
    checked: int
    """Sessions whose probe saw its venv from beginning to end, while nothing broke it by hand."""
    excused: int
    """Those that somebody did break."""
    killed: int
    refused: int
    """Those that ended with a sentence, where there was a reason to."""
    builds: int
    looks: int
    """How often the watcher looked at a session."""
    violations: list[tuple[float, str]]
    """Each with the seconds since the beginning."""


class Judge:
    """All that was written down."""

    def __init__(self, root: Path) -> None:
        """Read it."""
        base = base_of(root)
        self.root = root
        self.acts: list[Act] = [
            json.loads(line) for path in (base / "acts").iterdir() for line in path.read_text().splitlines()
        ]
        self.acts.sort(key=lambda act: act["begin"])
        self.by_hand = [act for act in self.acts if act["kind"] in DAMAGE]
        self.commands = [act for act in self.acts if act["kind"] == "command"]
        self.sessions = {act["probe"]: act for act in self.commands if "probe" in act}
        self.probes: dict[str, Act] = {}
        for path in (base / "probes").iterdir():
            if path.suffix != ".new":
                self.probes[path.name] = json.loads(path.read_text())
        self.found: list[tuple[float, str]] = []
        self.tainted = {act["venv"] for act in self.by_hand if act["kind"] == "delete_venv" and not act["complete"]}

    def excused(self, begin: float, end: float, venv: str) -> bool:
        """Return whether somebody broke `venv` by hand between `begin` and `end`.

        Where there is no `pyvenv.cfg` any more when Python starts, it takes itself for none in a venv: any may be meant.
        """
        none = not venv.startswith(f"{self.root}/")
        return venv in self.tainted or any(
            act["begin"] <= end and act["end"] >= begin and (none or act.get("venv", venv) == venv)
            for act in self.by_hand
        )

    def at_hand(self, kinds: Iterable[str], begin: float, end: float, shadow: float = 0.0) -> bool:
        """Return whether anything of `kinds` was done between `begin` and `end`, or shortly before."""
        return any(act["kind"] in kinds and act["begin"] <= end and act["end"] + shadow >= begin for act in self.acts)

    def states(self, begin: float, end: float) -> list[str]:
        """Return the states that the inputs had between `begin` and `end`."""
        turns = [act for act in self.acts if act["kind"] == "switch"]
        froms = [(0.0, "blue"), *((act["begin"], act["state"]) for act in turns)]
        untils = [*(act["end"] for act in turns), float("inf")]
        return [state for (since, state), until in zip(froms, untils, strict=True) if since <= end and until >= begin]

    def session(self, name: str) -> str:
        """Return what became of one session: checked, excused, killed or refused."""
        act = self.sessions[name]
        probe = self.probes.get(name)
        if probe is None:
            return "killed" if act["signal"] else "refused"
        begin, end = act["begin"], float(probe.get("ended") or act["end"])
        if self.excused(begin, end, probe["prefix"]):
            return "excused"
        states = [STATES[state] | {"project": "1.0"} for state in self.states(begin, probe["began"])]
        if act["door"] == "nox own":
            states = [state | {"cherry": "1.0"} for state in states]
        faults = list(probe["faults"])
        for when in ("first", "last"):
            seen = probe.get(when, probe["first"])
            faults += [] if seen in states else [f"{seen} is none of {states}"]
        for fault in dict.fromkeys(faults):  # the same at the beginning and at the end is said once
            self.found.append((end, f"{name} in {probe['prefix']}: {fault}"))
        if act["signal"]:
            return "checked" if "ended" in probe else "killed"
        if act["status"] != 0:
            self.found.append((end, f"{name} ended with {act['status']}: {act['err']}"))
        return "checked"

    def command(self, act: Act) -> None:
        """Judge how a command ended that gave up."""
        began = act.get("probe") in self.probes
        if act["status"] == 0 or act["signal"] or began:
            return
        begin, end = act["begin"], act["end"]
        text = f"{act['by']}: {act['door']} ended with {act['status']}: {act['err']}"
        for pattern, kinds in REFUSALS:
            if re.search(pattern, act["err"]):
                if kinds is None or self.at_hand(kinds, begin, end, SHADOW if kinds[1:2] == ("wipe",) else 0.0):
                    return
                break
        self.found.append((end, text))

    def backends(self) -> int:
        """Look for build backends that met; return how many ran."""
        open_ones: dict[str, float] = {}
        count = 0
        with contextlib.suppress(FileNotFoundError):
            for line in (self.root / "builds.log").read_text().splitlines():
                when, pid, what = line.split()
                at = float(when)
                count += what == "begin"
                if not self.at_hand(("wipe", "delete_lease"), at, at, SHADOW):
                    if what == "overlap":
                        self.found.append((at, f"the backend {pid} met another's flock"))
                    if what == "end":  # when a killed one ended is not known
                        since = open_ones.get(pid, at)
                        met = [other for other, begun in open_ones.items() if since < begun < at and other != pid]
                        self.found += [(at, f"the backend {other} began while {pid} ran") for other in met]
                if what == "begin":
                    open_ones[pid] = at
        return count

    def fingerprints(self, names: Iterable[str]) -> None:
        """One fingerprint must stand for one set of packages, whenever it is used. A session changes its own venv."""
        known: dict[str, dict[str, str]] = {}
        for name in names:
            probe = self.probes[name]
            if "/.roost/" in probe["prefix"] and f"/{OWN}" not in probe["prefix"]:
                fingerprint = Path(probe["prefix"]).parent.name
                if known.setdefault(fingerprint, probe["first"]) != probe["first"]:
                    self.found.append((probe["began"], f"{fingerprint} is {known[fingerprint]} and {probe['first']}"))

    def rest(self) -> None:
        """Look at what is left when all is over."""
        store = self.root / ".roost"
        by_hand = {act["venv"] for act in self.by_hand if act["kind"] != "wipe"}
        for fault in integrity.of_markers(store):
            if not any(venv and venv in fault for venv in by_hand):
                self.found.append((time.monotonic(), fault))
        self.found += [(time.monotonic(), fault) for fault in integrity.leftovers(store)]


def judge(root: Path, began: float, watcher: Watcher) -> Report:
    """Return the verdict on all that was seen since `began`."""
    all_of_it = Judge(root)
    became = {name: all_of_it.session(name) for name in all_of_it.sessions}
    for act in all_of_it.commands:
        all_of_it.command(act)
    builds = all_of_it.backends()
    all_of_it.fingerprints(name for name, what in became.items() if what == "checked")
    all_of_it.rest()
    for seen in watcher.found:
        begin = all_of_it.sessions[seen.probe]["begin"] if seen.probe in all_of_it.sessions else seen.at
        if not all_of_it.excused(begin, seen.at, seen.venv):
            all_of_it.found.append((seen.at, f"seen from outside, {seen.probe} in {seen.venv}: {seen.what}"))
    ends = Counter(became.values())
    kinds = Counter(str(act.get("door", act["kind"])) for act in all_of_it.acts)
    return Report(
        seconds=round(time.monotonic() - began, 1),
        acts=dict(kinds),
        sessions=len(became),
        checked=ends["checked"],
        excused=ends["excused"],
        killed=ends["killed"],
        refused=ends["refused"],
        builds=builds,
        looks=watcher.looks,
        violations=sorted((round(at - began, 1), text.replace(f"{root}/", "")) for at, text in all_of_it.found),
    )
