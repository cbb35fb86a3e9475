"""B4: slow and hostile devices, and what fast ones notice of them."""

import json
import pathlib
import subprocess
import tempfile
import threading
import time

from tests.bench.ingest import machine, parts

LINK_BYTES_PER_SECOND = 64 << 10
FAST_DEVICES = 20
# The fast ones upload this part of what the server could take: at saturation their own queue would hide everything.
FAST_PART = 0.25
HOSTILE_DEVICES = 12
BEHIND = ["nice", "-n", "10"]


class Watch(threading.Thread):
    """Looks at a process every tenth of a second and keeps the largest of what it sees."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.threads = self.descriptors = 0
        self.resident_mib = 0.0
        self._ended = threading.Event()

    def run(self):
        while not self._ended.wait(0.1):
            self.threads = max(self.threads, machine.threads(self.pid))
            self.descriptors = max(self.descriptors, machine.descriptors(self.pid))
            self.resident_mib = max(self.resident_mib, machine.memory_mib(self.pid, "VmRSS"))

    def __enter__(self):
        machine.reset_peak(self.pid)
        self.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self.join()
        # The kernel's own mark, which misses no peak between two looks.
        self.resident_mib = max(self.resident_mib, machine.memory_mib(self.pid, "VmHWM"))

    def result(self):
        return {"peak_mib": self.resident_mib, "threads": self.threads, "descriptors": self.descriptors}


class Isolation:
    def __init__(self, settings, tls):
        self.settings = settings
        self.tls = tls
        self.result = {}

    def run(self):
        server = parts.Corefleet(self.tls).start()
        try:
            self.result["idle_mib"] = machine.memory_mib(server.pid, "VmRSS")
            capacity = server.load("--plan=2M", f"--devices={FAST_DEVICES}", f"--duration={min(4, self.settings.seconds)}s",
                                   "--memory=134217728")
            server.settle()
            self.rate = max(2.0, FAST_PART * capacity["crashes_per_s"])
            self.result["fast_rate"] = self.rate
            self._alone(server, "alone")
            self._crowded(server)
            server.settle()
            # Once more: a virtual machine's speed changes by more from one minute to the next than what is measured.
            self._alone(server, "alone_after")
        finally:
            server.close()
        return self.result

    def _alone(self, server, key):
        with Watch(server.pid) as watch:
            self.result[key] = self._fast(server)
        self.result[key].update(watch.result())

    def _fast(self, server):
        with machine.Stolen() as stolen:
            report = server.load("--plan=2M", f"--devices={FAST_DEVICES}", f"--rate={self.rate}",
                                 f"--duration={self.settings.slow_fast_seconds}s", "--memory=134217728")
        return {"stolen": stolen.part,
                **{key: report[key] for key in ("crashes_per_s", "stored", "offered", "upload_ms", "offered_ms", "refused")}}

    def _crowded(self, server):
        """All slow ones begin; fast ones beside them; then hostile ones too. The slow ones take about a minute."""
        settings = self.settings
        with tempfile.TemporaryDirectory(prefix="corefleet-bench-") as folder, \
                parts.Link(server.port(), f"--bytes_per_second={LINK_BYTES_PER_SECOND}", prefix=BEHIND) as link:
            slow_out = pathlib.Path(folder) / "slow.json"
            with Watch(server.pid) as watch:
                slow = self._start(server, link.port, f"--plan={settings.slow_plan}", "--zstd=false", "--bodies=8",
                                   f"--devices={settings.slow_devices}", f"--crashes={settings.slow_devices}",
                                   "--first=1000000", f"--out={slow_out}")
                time.sleep(min(8, settings.slow_fast_seconds))
                self.result["with_slow"] = self._fast(server)
                self.result["with_slow"]["slow_still_running"] = slow.poll() is None
            self.result["with_slow"].update(watch.result())
            with Watch(server.pid) as watch:
                hostile_out = pathlib.Path(folder) / "hostile.json"
                hostile = self._start(server, server.port(), "--hostile=all", f"--devices={HOSTILE_DEVICES}",
                                      f"--duration={settings.slow_fast_seconds + 4}s", f"--out={hostile_out}")
                time.sleep(2)
                self.result["with_hostile"] = self._fast(server)
                self.result["with_hostile"]["slow_still_running"] = slow.poll() is None
                hostile.wait(120)
            self.result["with_hostile"].update(watch.result())
            self.result["attacks"] = _read(hostile_out).get("attacks", {})
            slow.wait(600)
            report = _read(slow_out)
            self.result["slow"] = {key: report.get(key) for key in ("stored", "offered", "breaks", "failed", "refused", "upload_ms")}
            server.next_crash += 2_000_000

    @staticmethod
    def _start(server, port, *flags):
        # At a lower priority, as the link below is: on a machine that plays both sides, these devices would else
        # keep the fast ones from measuring. They send no less: both sides together leave a part of the cores idle.
        command = [*BEHIND, *parts.CLIENT_CORE, parts.LOAD, f"--ingest=127.0.0.1:{port}", f"--corpus={parts.CORPUS}",
                   *server.client_flags(), *flags]
        return subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)


def _read(path):
    return json.loads(path.read_text()) if path.exists() and path.stat().st_size else {}
