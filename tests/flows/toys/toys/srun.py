"""Stands for Slurm's srun on two hosts: `python srun.py WORDS` in namespaces of its own (`unshare -Urnm`) makes two more network
namespaces with a cable between them, and starts WORDS in each with its SLURM_NODEID. When one fails, the other is ended."""

import os
import subprocess
import sys
import time

ADDRESSES = ("10.15.0.1", "10.15.0.2")
CABLE = """set -e
mount -t tmpfs none /run
ip netns add host0
ip netns add host1
ip link add eth0 netns host0 type veth peer name eth0 netns host1
for n in 0 1; do
  ip -n host$n address add 10.15.0.$((n + 1))/24 dev eth0
  ip -n host$n link set eth0 up
  ip -n host$n link set lo up
done"""


def main() -> int:
    subprocess.run(["sh", "-c", CABLE], check=True)
    hosts = [
        subprocess.Popen(["nsenter", f"--net=/run/netns/host{n}", *sys.argv[1:]], env={**os.environ, "SLURM_NODEID": str(n)})
        for n in range(len(ADDRESSES) if sys.argv[1:] else 0)
    ]
    while None in (codes := [host.poll() for host in hosts]) and not any(codes):
        time.sleep(0.05)
    for host in hosts:
        host.terminate()
        host.wait()
    return max((abs(code) for code in codes if code), default=0)


if __name__ == "__main__":
    sys.exit(main())
