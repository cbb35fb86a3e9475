"""What processes cost, and what machine this is."""

import os
import pathlib
import platform
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """(parent, CPU seconds) of a process; None when it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def processes():
    """{pid: (parent, CPU seconds)} of all there are."""
    found = {int(entry.name): _stat(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()}
    return {pid: stat for pid, stat in found.items() if stat}


def cpu_of(pid):
    """CPU seconds of a process so far, all its threads."""
    stat = _stat(pid)
    return stat[1] if stat else 0.0


def below(root):
    """Every process that descends from `root`, without it."""
    everything = processes()
    family, grown = {root}, True
    while grown:
        more = {pid for pid, (parent, _) in everything.items() if parent in family} - family
        grown = bool(more)
        family |= more
    return family - {root}


class Stolen:
    """The part of all cores' time that the host gave to other guests, within the block; 0 on a machine of its own."""

    def __enter__(self):
        self._began = self._look()
        return self

    def __exit__(self, *_):
        ended = self._look()
        self.part = (ended[0] - self._began[0]) / max(1, ended[1] - self._began[1])

    @staticmethod
    def _look():
        ticks = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return ticks[7], sum(ticks)


class CpuOfTree:
    """CPU seconds of a process and all below it. What ended in between counts too: with whoever waited for it."""

    def __init__(self, root):
        self.root = root

    def seconds(self):
        total = 0
        for pid in below(self.root) | {self.root}:
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += sum(int(fields[index]) for index in (11, 12, 13, 14))
        return total / TICKS


def memory_mib(pid, field="VmHWM"):
    """VmHWM: the most that was resident since reset_peak; VmRSS: now."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def reset_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def threads(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def load_average():
    return os.getloadavg()[0]


def version(package):
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "not installed"


def describe():
    """The lines that say where the figures come from."""
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": round(memory),
            "kernel": platform.release(), "load_average": round(load_average(), 2),
            "versions": {name: version(name) for name in ("libgrpc++1.51", "libssl3", "postgresql-15", "nginx", "radosgw")}}
