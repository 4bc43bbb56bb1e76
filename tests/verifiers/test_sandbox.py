"""The sandbox: what a program sees, what it may use, and that nothing of it stays."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from stages.verifiers import sandbox, sandbox_groups
from stages.verifiers.sandbox import Limits, MiB, Run, SandboxUnavailableError, run, why_unavailable

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))
PYTHON = ["/usr/bin/python3", "-S", "-s", "/box/main.py"]
BRIEF = Limits(seconds=3, cpu_seconds=6, memory=256 * MiB, processes=32, output=1 * MiB, disk=8 * MiB)


def python(program: str, stdin: bytes = b"", limits: Limits = BRIEF) -> Run:
    return run({"main.py": program.encode()}, PYTHON, stdin, limits)


def left_behind() -> list[str]:
    """bubblewrap processes below this one, and control groups of this one."""
    processes = [child.name() for child in psutil.Process().children(recursive=True) if child.name() in ("bwrap", "setpriv")]
    folders = [
        str(folder) for place in sandbox_groups.places_here().parents.values() for folder in place.glob(f"k15-{os.getpid()}-*")
    ]
    return processes + folders


def test_a_program_gets_its_input_and_its_output_and_status_come_back() -> None:
    found = python("import sys; print(sys.stdin.read()[::-1]); print('e', file=sys.stderr); sys.exit(3)", b"abc")
    assert (found.returncode, found.stdout, found.stderr, found.killed_for) == (3, b"cba\n", b"e\n", None)


def test_a_signal_is_told_as_a_shell_tells_it() -> None:
    assert python("import os; os.kill(os.getpid(), 11)").returncode == 128 + 11


def test_input_larger_than_a_pipe_holds() -> None:
    assert python("import sys; print(len(sys.stdin.buffer.read()))", b"x" * (5 * MiB)).stdout == b"5242880\n"


def test_the_program_sees_a_minimal_read_only_root() -> None:
    program = """
import os
print(sorted(set(os.listdir('/')) - {'lib32', 'lib64', 'sbin'}))
print(sorted(int(x) for x in os.listdir('/proc') if x.isdigit())[:1], os.getuid(), os.getcwd(), os.listdir('/tmp'))
for path in ('/new', '/usr/new', '/box/new', '/box/main.py', '/dev/new', '/proc/sys/kernel/hostname'):
    try:
        open(path, 'w'); print('wrote', path)
    except OSError: pass
for path in ('/etc/passwd', '/etc/shadow', '/root', '/home', '/var', '/sys', '/run'):
    if os.path.exists(path): print('sees', path)
"""
    lines = python(program).stdout.decode().splitlines()
    assert lines == ["['bin', 'box', 'dev', 'input', 'lib', 'proc', 'tmp', 'usr']", "[1] 65534 /tmp []"]


def test_the_environment_and_open_files_of_the_host_stay_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", "swordfish")
    (tmp_path / "secret").write_text("swordfish")
    with (tmp_path / "secret").open() as held:
        os.set_inheritable(held.fileno(), True)
        program = (
            "import glob, os\nprint(dict(os.environ), [os.path.realpath(f'/proc/self/fd/{n}') for n in range(3, 40) "
            "if os.path.exists(f'/proc/self/fd/{n}')])\n"
            "for p in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):\n"
            "    try: print(open(p, 'rb').read())\n"
            "    except OSError: pass"
        )
        found = python(program).stdout.decode()
    assert "swordfish" not in found
    assert "SECRET_KEY" not in found
    assert found.splitlines()[0].endswith("} []")


def test_a_symlink_leads_nowhere_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("swordfish")
    os.chmod(tmp_path, 0o755)
    program = f"""
import os
os.symlink('{tmp_path}/secret', '/tmp/link'); os.symlink('/proc/1/root/{tmp_path}/secret', '/tmp/other')
for path in ('/tmp/link', '/tmp/other', '/proc/1/cwd/secret', '/proc/self/root/../{tmp_path}/secret'):
    try: print(open(path).read())
    except OSError as error: print(type(error).__name__)
"""
    assert "swordfish" not in python(program).stdout.decode()


def test_there_is_no_network() -> None:
    program = """
import socket
for family, address in ((socket.AF_INET, ('1.1.1.1', 53)), (socket.AF_INET, ('127.0.0.1', PORT)), (socket.AF_INET6, ('::1', PORT))):
    try:
        s = socket.socket(family); s.settimeout(1); s.connect(address); print('connected', address)
    except OSError as error: print('refused')
try: socket.socket(socket.AF_VSOCK); print('vsock')
except OSError: print('refused')
print([name for _, name in socket.if_nameindex()])
"""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        found = python(program.replace("PORT", str(server.getsockname()[1])))
    assert found.stdout == b"refused\nrefused\nrefused\nrefused\n['lo']\n", found


def test_a_fork_bomb_is_contained_and_ends_with_its_time() -> None:
    before = time.monotonic()
    found = python("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
    assert found.killed_for == "time"
    assert time.monotonic() - before < 20
    assert left_behind() == []


def test_the_number_of_processes_is_limited() -> None:
    program = """
import os, time
made = 0
for _ in range(100):
    try:
        if os.fork() == 0: time.sleep(60)
        made += 1
    except OSError: break
print(made)
"""
    found = python(program)
    assert 10 <= int(found.stdout) <= 32
    assert found.seconds < 2.5  # its sleeping children ended with it
    assert left_behind() == []


@pytest.mark.parametrize(
    "program",
    [
        "x = []\nwhile True: x.append(bytes(1 << 24))",
        "import mmap\nx = []\nwhile True:\n    m = mmap.mmap(-1, 1 << 24); m.write(b'x' * (1 << 24)); x.append(m)",
        "import os\nfor _ in range(20): os.fork()\nx = []\nwhile True: x.append(bytearray(1 << 22))",
    ],
    ids=["private", "shared", "many processes"],
)
def test_a_memory_bomb_ends_early_or_by_the_clock(program: str) -> None:
    before = psutil.virtual_memory().available
    lowest = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            lowest[0] = min(lowest[0], psutil.virtual_memory().available)

    watcher = threading.Thread(target=watch)
    watcher.start()
    found = python(program)
    done.set()
    watcher.join()
    assert found.returncode != 0
    assert before - lowest[0] < 2048 * MiB
    assert left_behind() == []


@pytest.mark.skipif("memory" not in sandbox_groups.places_here().parents, reason="no writable memory control group here")
def test_memory_of_all_processes_together_is_limited_and_named() -> None:
    program = "import os, time\nfor _ in range(3): os.fork()\nx = bytearray(200 << 20)\ntime.sleep(2)"
    assert python(program, limits=Limits(seconds=10, memory=256 * MiB)).killed_for == "memory"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output_is_cut(stream: str) -> None:
    found = python(f"import sys\nwhile True: sys.{stream}.write('x' * 65536)")
    assert found.killed_for == "output"
    assert len(getattr(found, stream)) == BRIEF.output


def test_the_disk_is_small() -> None:
    program = """
wrote = 0
try:
    for n in range(100):
        with open(f'/tmp/{n}', 'wb') as f: wrote += f.write(bytes(1 << 20)); f.flush()
except OSError: pass
print(wrote >> 20)
"""
    assert int(python(program).stdout) <= 8


def test_cpu_time_is_limited_by_process() -> None:
    found = python("while True: pass", limits=Limits(seconds=30, cpu_seconds=1))
    assert found.killed_for == "cpu"
    assert found.seconds < 20


def test_a_program_that_sleeps_or_ignores_signals_is_ended_by_the_clock() -> None:
    program = "import signal, time\nfor n in set(signal.Signals) - {9, 19}: signal.signal(n, signal.SIG_IGN)\ntime.sleep(100)"
    found = python(program, limits=Limits(seconds=1))
    assert (found.timed_out, found.killed_for) == (True, "time")
    assert found.seconds < 5


def test_double_fork_and_setsid_leave_nobody() -> None:
    """The daemon would go on counting; its pid namespace ends with the main process, so nobody of that name is left."""
    name = f"k15daemon{os.getpid()}"
    program = f"""
import os, time, ctypes
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b'{name[:15]}', 0, 0, 0)
        for end in range(3): os.close(end)
        time.sleep(600)
    os._exit(0)
time.sleep(0.3)
print('done')
"""
    found = python(program)
    assert found.stdout == b"done\n"
    assert not [process for process in psutil.process_iter(["name"]) if process.info["name"] == name[:15]]
    assert left_behind() == []


def test_new_namespaces_mounts_and_tracing_are_refused() -> None:
    program = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print([libc.unshare(0x10000000), libc.mount(b'none', b'/tmp', b'tmpfs', 0, None), libc.ptrace(0, 0, 0, 0)], ctypes.get_errno())
print([line for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp:'))])
"""
    lines = python(program).stdout.decode().splitlines()
    assert lines[0] == "[-1, -1, -1] 1"
    values = dict(line.strip().split(":\t") for line in eval(lines[1]))
    assert {name: int(value, 16) for name, value in values.items()} == {"CapEff": 0, "CapBnd": 0, "NoNewPrivs": 1, "Seccomp": 2}


def test_runs_share_nothing() -> None:
    assert python("open('/tmp/mark', 'w').write('x')").returncode == 0
    assert python("import os; print(os.listdir('/tmp'))").stdout == b"[]\n"


def test_many_runs_side_by_side() -> None:
    found: dict[int, bytes] = {}

    def one(number: int) -> None:
        found[number] = python(f"print({number})", limits=Limits(seconds=30)).stdout

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert found == {number: b"%d\n" % number for number in range(8)}
    assert left_behind() == []


def test_open_files_do_not_grow() -> None:
    python("pass")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        python("pass")
        python("while True: pass", limits=Limits(seconds=0.1))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_program_dies_with_us(processes: int) -> None:
    """Whenever we are killed: as soon as so many processes of the sandbox are there."""
    program = (
        "from stages.verifiers.sandbox import run\n"
        "run({'main.py': b'import time; print(1); time.sleep(600)'}, ['/usr/bin/python3', '-S', '/box/main.py', 'K15MARK'])\n"
    )
    mark = f"mark{os.getpid()}-{processes}"
    ours = subprocess.Popen([sys.executable, "-c", program.replace("K15MARK", mark)])
    assert _eventually(lambda: len(_with_argument(mark)) > processes - 1)
    ours.kill()
    ours.wait()
    assert _eventually(lambda: not _with_argument(mark))


def test_without_bubblewrap_it_refuses_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    why_unavailable.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    try:
        with pytest.raises(SandboxUnavailableError, match=r"needs bubblewrap 0\.8 or newer \(apt-get install bubblewrap"):
            run({}, ["/usr/bin/true"])
    finally:
        why_unavailable.cache_clear()


def test_without_user_namespaces_it_refuses_and_says_what_to_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    why_unavailable.cache_clear()
    monkeypatch.setattr(sandbox, "_system", lambda: ("--ro-bind", "/nowhere", "/usr"))
    try:
        with pytest.raises(SandboxUnavailableError, match=r"cannot make namespaces here \(bwrap: .*/nowhere.*allow user namesp"):
            run({}, ["/usr/bin/true"])
    finally:
        why_unavailable.cache_clear()
    assert left_behind() == []


def test_it_works_where_no_control_group_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.verifiers.sandbox_process.places_here", lambda: sandbox_groups.Places(0, {}))
    assert python("print(1)").stdout == b"1\n"
    assert python("x = bytes(1 << 30)").returncode == 1
    program = "import os\nn = 0\ntry:\n    while os.fork(): n += 1\n    import time; time.sleep(60)\nexcept OSError: print(n)"
    assert int(python(program).stdout) <= 32


def test_groups_of_version_2_are_found_and_limited(tmp_path: Path) -> None:
    """The kernel's files are played by ordinary ones: what is written where is what is tested."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids")
    (tmp_path / "cgroup.procs").touch()
    assert sandbox_groups.places(tmp_path) == sandbox_groups.Places(0, {})  # a new folder gets no memory.max: not the kernel's
    places = sandbox_groups.Places(2, {"all": tmp_path})
    folder = tmp_path / "here"
    folder.mkdir()
    for name in ("memory.max", "pids.max", "cpu.max"):
        (folder / name).touch()
    sandbox_groups._limit(places.version, {"all": folder}, 1000, 5, 1.5)
    assert [(folder / name).read_text() for name in ("memory.max", "pids.max", "cpu.max")] == ["1000", "5", "150000 100000"]
    group = sandbox_groups.Group(2, {"all": folder})
    (folder / "memory.events").write_text("oom 3\noom_kill 0\n")
    assert not group.killed_for_memory()
    (folder / "memory.events").write_text("oom 3\noom_kill 2\n")
    assert group.killed_for_memory()
    group.add(77)
    assert (folder / "cgroup.procs").read_text() == "77"


def _with_argument(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if mark in (process.info["cmdline"] or []):
            found.append(process.info["pid"])
    return found


def _eventually(holds: "object", seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(("takes", "stopped"), [(0.5, 3.5), (4.0, 3.0)], ids=["it ends meanwhile", "it ends later"])
def test_time_in_which_the_parent_was_stopped_is_not_the_programs(takes: float, stopped: float) -> None:
    """Stopped for longer than the limit of 2.5 s, it must not find that the program has taken too long."""
    program = (
        "from stages.verifiers.sandbox import Limits, run\n"
        f"text = b'import time; time.sleep({takes}); print(7)'\n"
        "print(run({'main.py': text}, ['/usr/bin/python3', '-S', '/box/main.py'], b'', Limits(seconds=2.5)))\n"
    )
    ours = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert _eventually(lambda: _runs_below(ours.pid, ["/usr/bin/python3", "-S", "/box/main.py"]))
    ours.send_signal(signal.SIGSTOP)
    time.sleep(stopped)
    ours.send_signal(signal.SIGCONT)
    told, _ = ours.communicate(timeout=30)
    assert "stdout=b'7\\n'" in told
    assert "killed_for=None" in told


def _runs_below(pid: int, command: list[str]) -> bool:
    """Whether a process below `pid` is this command."""
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.cmdline() == command:
                return True
    return False


WITHOUT_GROUPS = {
    "many processes": "import os, time\nfor _ in range(3): os.fork()\nx = bytearray(100 << 20)\ntime.sleep(20)",
    "one after the other": (
        "import os, time\nfor _ in range(20):\n    if os.fork() == 0:\n        x = bytearray(30 << 20)\n        time.sleep(20)\n"
        "    time.sleep(0.02)\ntime.sleep(20)"
    ),
    "orphans": "import os, time\nfor _ in range(3):\n    if os.fork(): os._exit(0) if os.getpid() > 3 else None\n"
    "for _ in range(3): os.fork()\nx = bytearray(60 << 20)\ntime.sleep(20)",
    "threads that fork": (
        "import os, threading, time\ndef eat():\n    if os.fork() == 0:\n        x = bytearray(60 << 20)\n        time.sleep(20)\n"
        "for _ in range(8): threading.Thread(target=eat).start()\ntime.sleep(20)"
    ),
    "shared": (
        "import mmap, os, time\nif os.fork():\n    os.fork()\nm = mmap.mmap(-1, 150 << 20)\n"
        "for at in range(0, 150 << 20, 4096): m[at] = 1\ntime.sleep(20)"
    ),
    "files in memory": (
        "import os, time\nheld = [os.memfd_create('m') for _ in range(60)]\n"
        "for end in held:\n    for _ in range(7): os.write(end, bytes(1 << 20))\ntime.sleep(20)"
    ),
}


@pytest.mark.parametrize("program", WITHOUT_GROUPS.values(), ids=WITHOUT_GROUPS)
def test_memory_of_all_processes_is_watched_where_no_control_group_bounds_it(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.verifiers.sandbox_process.places_here", lambda: sandbox_groups.Places(0, {}))
    found = python(program, limits=Limits(seconds=10, memory=256 * MiB, disk=8 * MiB))
    assert found.killed_for == "memory"
    assert left_behind() == []


def test_pages_that_processes_share_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.verifiers.sandbox_process.places_here", lambda: sandbox_groups.Places(0, {}))
    program = (
        "import os, time\nx = bytearray(100 << 20)\nn = sum(1 for _ in range(4) if os.fork())\ntime.sleep(0.5)\n"
        "while True:\n    try: os.wait()\n    except OSError: break\nprint('ended')"
    )
    found = python(program, limits=Limits(seconds=10, memory=256 * MiB))
    assert found.killed_for is None
    assert found.stdout.count(b"ended") == 16


def test_memory_that_no_process_holds_is_refused() -> None:
    """System V segments and messages stay when every process has let go of them."""
    program = "import ctypes\nlibc = ctypes.CDLL(None)\nprint(libc.shmget(0, 1 << 20, 0o1600), libc.msgget(0, 0o1600))"
    assert python(program).stdout == b"-1 -1\n"


def test_what_bounds_a_program_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {}
    for version, parents in ((2, {"all": Path("/")}), (1, {"memory": Path("/")}), (1, {"pids": Path("/")}), (0, {})):
        monkeypatch.setattr(sandbox, "places_here", lambda v=version, p=parents: sandbox_groups.Places(v, p))
        told[version, *parents] = sandbox.bounds()
    assert [by_kernel for by_kernel, _ in told.values()] == [True, False, False, False]
    assert ["looked at every 20 ms" in words for _, words in told.values()] == [False, False, True, True]
    assert ["not by cores" in words for _, words in told.values()] == [False, True, True, True]
