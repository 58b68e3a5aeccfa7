"""Functions of Windows, by ctypes: the only module that calls them. Imported when a start needs one of them.

A file can be opened only if its openers share what each of them does. That makes the leases (`windows_files`).
"""

import ctypes
import msvcrt
import os
from typing import Any

from roost.system.windows_files import READ

_LINK_ITSELF = 0x00200000  # FILE_FLAG_OPEN_REPARSE_POINT
_KILL_ON_CLOSE = 0x2000
_SYNCHRONIZE, _LIMITED = 0x100000, 0x1000
_STILL_RUNS = 0x102  # WAIT_TIMEOUT
_DENIED = 5

_windows: Any = ctypes  # what it has on Windows only
_kernel = _windows.WinDLL("kernel32", use_last_error=True)
_ntdll = _windows.WinDLL("ntdll")
for _name in ("CreateFileW", "CreateJobObjectW", "OpenProcess", "CreateToolhelp32Snapshot", "GetStdHandle"):
    getattr(_kernel, _name).restype = ctypes.c_void_p  # by attribute: an item is a new object each time
_NONE = ctypes.c_void_p(-1).value


class _Limits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION, of which only the flags are set."""

    _fields_ = (("times", ctypes.c_int64 * 2), ("flags", ctypes.c_uint32), ("rest", ctypes.c_size_t * 15))


class _Entry(ctypes.Structure):
    """PROCESSENTRY32W."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("usage", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("heap", ctypes.c_size_t),
        ("module", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("parent", ctypes.c_uint32),
        ("priority", ctypes.c_long),
        ("flags", ctypes.c_uint32),
        ("name", ctypes.c_wchar * 260),
    )


def open_file(path: str, access: int, share: int, how: int, flags: int = 0) -> int:
    """Return a descriptor of the file `path`, as of CreateFileW. Child processes do not inherit it.

    Raises:
        OSError: it cannot be opened; its `winerror` is 32 where another opener excludes this one.
    """
    file = ctypes.c_wchar_p(path)
    handle = _kernel.CreateFileW(file, access, share, None, how, ctypes.c_uint32(flags | _LINK_ITSELF), None)
    if handle == _NONE:
        code = _windows.get_last_error()
        raise OSError(0, _windows.FormatError(code), path, code)
    mode = os.O_RDONLY if access == READ else os.O_RDWR
    return int(msvcrt.open_osfhandle(handle, mode | os.O_BINARY | os.O_NOINHERIT))


class Job:
    """A job object. The processes in it end when it is closed, also because this process is killed."""

    def __init__(self) -> None:
        """Create an empty one."""
        self._handle = ctypes.c_void_p(_kernel.CreateJobObjectW(None, None))
        self._limit(_KILL_ON_CLOSE)

    def _limit(self, flags: int) -> None:
        limits = _Limits(flags=flags)
        _kernel.SetInformationJobObject(self._handle, 9, ctypes.byref(limits), ctypes.sizeof(limits))

    def add(self, process: int) -> None:
        """Put a suspended process, by its handle, into the job, and let it run."""
        _kernel.AssignProcessToJobObject(self._handle, ctypes.c_void_p(process))
        _ntdll.NtResumeProcess(ctypes.c_void_p(process))

    def end(self) -> None:
        """End all processes in it."""
        _kernel.TerminateJobObject(self._handle, 1)

    def release(self) -> None:
        """Let the processes in it outlive this one."""
        self._limit(0)


class OwnJob(Job):
    """A job object with this process, and so with all that it starts later."""

    def __init__(self) -> None:
        """Create it, and hold nothing yet."""
        super().__init__()
        self.release()
        _kernel.AssignProcessToJobObject(self._handle, ctypes.c_void_p(-1))  # -1 is the process itself

    def hold(self) -> None:
        """Let what this process starts end with it, until `release`."""
        self._limit(_KILL_ON_CLOSE)


def is_running(pid: int) -> bool:
    """Return whether the process `pid` exists, and has not ended."""
    handle = ctypes.c_void_p(_kernel.OpenProcess(_SYNCHRONIZE, 0, pid))
    if handle.value is None:
        return bool(_windows.get_last_error() == _DENIED)  # it belongs to another user
    try:
        return bool(_kernel.WaitForSingleObject(handle, 0) == _STILL_RUNS)
    finally:
        _kernel.CloseHandle(handle)


def started(pid: int) -> float | None:
    """Return when the process `pid` started, in seconds since 1970, or None where that is hidden."""
    handle = ctypes.c_void_p(_kernel.OpenProcess(_LIMITED, 0, pid))
    if handle.value is None:
        return None
    times = [ctypes.c_uint64() for _ in range(4)]
    try:
        found = _kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
        return times[0].value / 1e7 - 11_644_473_600 if found else None  # 100 ns since 1601
    finally:
        _kernel.CloseHandle(handle)


def processes() -> dict[int, tuple[int, str]]:
    """Return the parent and the program of each process."""
    found = {}
    snapshot = ctypes.c_void_p(_kernel.CreateToolhelp32Snapshot(2, 0))
    entry = _Entry(size=ctypes.sizeof(_Entry))
    more = _kernel.Process32FirstW(snapshot, ctypes.byref(entry))
    while more:
        found[entry.pid] = (entry.parent, entry.name)
        more = _kernel.Process32NextW(snapshot, ctypes.byref(entry))
    _kernel.CloseHandle(snapshot)
    return found
