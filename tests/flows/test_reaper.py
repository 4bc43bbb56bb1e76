"""Groups are emptied, whoever ignores what."""

import subprocess
import sys
import time

from flows import reaper

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def start(program: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    return process


def test_polite_members_get_no_kill() -> None:
    with start("import time; print('up', flush=True); time.sleep(60)") as process:
        assert reaper.members(process.pid) == [process.pid]
        reaper.end(process.pid, grace=5)
        assert process.wait(5) == -15


def test_stubborn_members_are_killed_after_the_grace() -> None:
    with start(STUBBORN) as process:
        begun = time.monotonic()
        reaper.end(process.pid, grace=0.3)
        assert process.wait(5) == -9
        assert 0.3 <= time.monotonic() - begun < 2


def test_a_zombie_leader_does_not_burn_the_grace() -> None:
    """Nobody has collected the leader: it stays a member for the kernel, not for us."""
    with start("print('up', flush=True)") as process:
        time.sleep(0.3)
        begun = time.monotonic()
        reaper.end(process.pid, grace=5)
        assert time.monotonic() - begun < 1


def test_as_a_program_it_waits_for_its_starter() -> None:
    with start(STUBBORN.replace("signal.SIG_IGN", "signal.SIG_DFL")) as process:
        watch = subprocess.Popen([sys.executable, "-I", "-S", reaper.__file__, str(process.pid)], stdin=subprocess.PIPE)
        time.sleep(0.3)
        assert process.poll() is None
        assert watch.stdin
        watch.stdin.close()
        assert watch.wait(10) == 0
        assert process.wait(5) == -15
