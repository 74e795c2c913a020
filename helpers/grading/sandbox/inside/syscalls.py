"""Block system calls that no notebook needs, to reduce the attack surface; runs in the worker."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

__all__ = ["close_rare_calls"]

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NEW_NAMESPACES = 0x7E020000 | 0x00000080
_X32 = 0x40000000
# Numbers by machine: the kernel's number for the architecture, clone, and the blocked calls:
# ptrace, mounting, modules, kexec, keys, bpf, perf, userfaultfd, unshare, setns, file handles and
# access to the memory of other processes.
_MACHINES = {
    "x86_64": (
        0xC000003E,
        56,
        "101 155 161 165 166 167 168 169 175 176 246 248 249 250 272 278 298 304 308 310 311 313 "
        "320 321 323",
    ),
    "aarch64": (
        0xC00000B7,
        220,
        "39 40 41 51 75 97 104 105 106 117 142 217 218 219 224 225 241 265 268 270 271 273 280 282 "
        "294",
    ),
}
# io_uring and the new mount calls have the same numbers on every machine, and so has clone3. A
# filter cannot see the flags of clone3; the error ENOSYS makes the C library use clone instead.
_SAME_EVERYWHERE = "425 426 427 428 429 430 431 432 433 442"
_CLONE3 = 435


def close_rare_calls() -> bool:
    """Block rare system calls in this process and its children; return whether it succeeded."""
    machine = os.uname().machine
    if machine not in _MACHINES:
        return False
    program = _program(*_MACHINES[machine])
    code = ctypes.create_string_buffer(b"".join(program))
    head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(head), 0, 0) == 0


def _program(architecture: int, clone: int, refused: str) -> list[bytes]:
    """Return the filter, one instruction per item."""

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    refuse = step(_RETURN, _ERROR | errno.EPERM)
    program = [
        step(_LOAD, 4),
        step(_EQUAL, architecture, yes=1),
        refuse,
        step(_LOAD, 0),
        step(_AT_LEAST, _X32, no=1),
        refuse,
        step(_EQUAL, _CLONE3, no=1),
        step(_RETURN, _ERROR | errno.ENOSYS),
    ]
    for number in map(int, f"{refused} {_SAME_EVERYWHERE}".split()):
        program += [step(_EQUAL, number, no=1), refuse]
    program += [
        step(_EQUAL, clone, no=3),
        step(_LOAD, 16),
        step(_ANY_BIT, _NEW_NAMESPACES, no=1),
        refuse,
        step(_RETURN, _ALLOW),
    ]
    return program
