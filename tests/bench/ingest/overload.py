"""B6: more crashes than the server can take."""

import os

from tests.bench.ingest import parts

DEVICES = 400       # that can be at it at the same time; what happens while all are busy waits its turn, and that is counted
PLAN = "2M"
SETTLING = 2        # seconds
PROBE_PART = 0.3    # of the capacity: what is offered after an overload, to see when all is well again
PROBE_SECONDS = 6


class Overload:
    def __init__(self, settings, tls):
        self.settings = settings
        self.tls = tls
        self.capacities = []
        self.capacity = 0.0   # their mean
        self.rows = []   # {times, offered_per_s, goodput_per_s, refused, ...}

    def run(self):
        # The server on one core, the generator on the other: what it costs a device to be refused is not the server's.
        if os.cpu_count() >= 2:
            parts.SERVER_CORE[:], parts.CLIENT_CORE[:] = ["taskset", "-c", "0"], ["taskset", "-c", "1"]
        try:
            return self._run()
        finally:
            parts.SERVER_CORE.clear()
            parts.CLIENT_CORE.clear()

    def _run(self):
        server = parts.Corefleet(self.tls).start()
        try:
            # Before and after: a virtual machine is not as fast in one minute as in the next.
            self.capacities = [self._full(server)]
            for times in self.settings.overload:
                self._offer(server, times)
                server.settle()
            self.capacities.append(self._full(server))
            self.capacity = sum(self.capacities) / 2
        finally:
            server.close()
        return self

    def _full(self, server):
        """What the server can take. By the same rule as the goodput: a mean that has the first second in it, in which
        nothing is stored yet, would make the capacity look smaller, and the goodput beside it better, than it is."""
        report = server.load(f"--plan={PLAN}", "--devices=32", f"--duration={self.settings.overload_seconds}s",
                             "--memory=134217728", "--connect_first")
        server.settle()
        return self._steady(report)

    def _steady(self, report):
        """Crashes a second while crashes were offered; what was under way at the end comes on top."""
        # The first two seconds, in which the first uploads are still on their way, say nothing.
        seconds = int(self.settings.overload_seconds)
        return sum(report["stored_each_second"][SETTLING:seconds]) / max(1, seconds - SETTLING)

    def _offer(self, server, times):
        seconds = self.settings.overload_seconds
        report = server.load(f"--plan={PLAN}", f"--devices={DEVICES}", f"--rate={times * self.capacities[0]}",
                             f"--duration={seconds}s", "--memory=134217728", "--connect_first")
        probe = server.load(f"--plan={PLAN}", "--devices=32", f"--rate={PROBE_PART * self.capacities[0]}",
                            f"--duration={PROBE_SECONDS}s", "--memory=134217728", "--connect_first")
        self.rows.append({
            "times": times, "offered_per_s": report["offered"] / seconds, "goodput_per_s": self._steady(report),
            "stored": report["stored"], "waiting": report["waiting"], "refused": report["refused"],
            "rejected": report["rejected"], "failed": report["failed"], "upload_ms": report["upload_ms"],
            "drain_s": max(0.0, report["seconds"] - seconds), "recovered_s": _recovered(probe),
        })


def _recovered(probe):
    """Seconds after the overload until nine tenths of what is offered is stored within its second again; None: not within the probe."""
    wanted = 0.9 * probe["offered"] / PROBE_SECONDS
    for second, stored in enumerate(probe["stored_each_second"]):
        if stored >= wanted:
            return float(second)
    return None
