"""The system calls that a program in the sandbox may not make, as a seccomp filter (seccomp(2), classic BPF).

Namespaces and resource limits already contain a program; the filter takes away what could widen a hole in the kernel:
new namespaces and mounts, tracing, keys, modules, io_uring, and vsock, which no network namespace covers."""

import errno
import functools
import platform
import struct

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
_NEW_NAMESPACES = 0x7E020080
"""CLONE_NEW* of clone(2): time, mount, cgroup, uts, ipc, user, pid, net."""
_AF_VSOCK = 40
_X32 = 0x40000000
_EVERYWHERE = (*range(425, 434), 442)
"""io_uring_*, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr: one number on all machines."""
_CLONE3 = 435
_MACHINES: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        56,
        41,
        (
            29,
            68,
            101,
            155,
            161,
            165,
            166,
            167,
            168,
            169,
            175,
            176,
            246,
            248,
            249,
            250,
            272,
            298,
            303,
            304,
            308,
            310,
            311,
            313,
            320,
            321,
            323,
        ),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        198,
        (
            194,
            186,
            117,
            41,
            51,
            40,
            39,
            224,
            225,
            142,
            105,
            106,
            104,
            217,
            218,
            219,
            97,
            241,
            264,
            265,
            268,
            270,
            271,
            273,
            294,
            280,
            282,
        ),
    ),
}
"""Audit name of the machine, numbers of clone and socket, and of what is refused: shmget and msgget (memory
that no process holds), ptrace, pivot_root, chroot, mount, umount2,
swapon, swapoff, reboot, *_module, kexec_*, keys, unshare, perf_event_open, *_handle_at, setns, process_vm_*, bpf, userfaultfd."""


def machine_is_known() -> bool:
    """Whether there are numbers for this machine."""
    return platform.machine() in _MACHINES


@functools.cache
def program() -> bytes:
    """The filter for this machine. KeyError when `machine_is_known` is false."""
    machine, clone, socket, refused = _MACHINES[platform.machine()]
    refuse = _ERRNO | errno.EPERM
    lines = [(_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    if platform.machine() == "x86_64":
        lines += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for number in (*refused, *_EVERYWHERE):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    lines += [(_EQUAL, 0, 4, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NEW_NAMESPACES)]
    lines += [(_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_EQUAL, 0, 3, socket), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 0, 1, _AF_VSOCK), (_RETURN, 0, 0, refuse)]
    lines += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
