"""B1: crashes a second, next to the machine's limit and the peers, in turn."""

import collections
import pathlib
import subprocess
import tempfile
import time

from tests.bench.ingest import limits, machine, parts, peer
from tests.bench.ingest.settings import BODIES_BYTES, HEAD_BYTES, HEAD_DEVICES, HEAD_SIZE

# Seconds after which analysis no longer waits for a burst's end (server/analysis/turns.h), and one.
ANALYSIS_WAITS = 6


def say(text):
    print(text, flush=True)


class Throughput:
    """Runs every participant once in each repetition, so that what else the machine does hits all of them alike."""

    def __init__(self, settings, tls, wanted_peers):
        self.settings = settings
        self.tls = tls
        self.wanted_peers = wanted_peers
        self.runs = collections.defaultdict(list)     # (size, devices, tls, zstd): reports of corefleet
        self.peer_runs = collections.defaultdict(list)  # (peer, how): reports
        self.nulls = collections.defaultdict(list)    # (tls, zstd)
        self.loops, self.database, self.pinned = [], [], collections.defaultdict(list)
        self.sustained = {}
        self.verdicts, self.missing, self.syncs, self.wrong = [], {}, {}, []

    def run(self):
        peers = self._start_peers()
        nulls = {tls: parts.NullIngest(self.tls if tls else None) for tls in (False, True)}
        database = limits.Database()
        try:
            for repetition in range(max(self.settings.repetitions, self.settings.other_repetitions)):
                say(f"B1: repetition {repetition + 1}, load average {machine.load_average():.1f}")
                self._repetition(repetition, peers, nulls, database)
            self._count_syncs(peers)
            self._pinned()
            self._sustained()
        finally:
            for each in [*peers.values(), *nulls.values(), database]:
                each.close()
        return self

    def _start_peers(self):
        started = {}
        for name, how, make, _, _ in peer.VARIANTS:
            if name not in self.wanted_peers:
                continue
            try:
                started[name, how] = make()
                say(f"B1: {name} ({how}) is up")
            except (parts.Failed, OSError, subprocess.SubprocessError) as why:
                self.missing[name, how] = str(why).splitlines()[0]
                say(f"B1: {name} ({how}) cannot be measured: {why}")
        return started

    def _repetition(self, number, peers, nulls, database):
        settings = self.settings
        # Fresh ones each time: disks do not fill, and no repetition inherits another's tables.
        servers = {tls: parts.Corefleet(self.tls if tls else None).start() for tls in (False, True)}
        try:
            if number < settings.repetitions:
                self._head(number, servers, peers, nulls, database)
            if number < settings.other_repetitions:
                self._matrix(servers)
        finally:
            for server in servers.values():
                server.close()

    def _head(self, number, servers, peers, nulls, database):
        with tempfile.TemporaryDirectory(prefix="corefleet-bench-") as folder:
            self.loops.append(limits.plain_loop(HEAD_SIZE, min(1.5, self.settings.seconds), folder))
            self.database.append(database.measure(max(1, int(self.settings.seconds) - 1)))
            for tls, server in servers.items():
                for zstd in (False, True):
                    flags = load_flags(HEAD_SIZE, HEAD_DEVICES, zstd, self.settings.seconds)
                    self.nulls[tls, zstd].append(nulls[tls].load(*flags))
                    ledger = pathlib.Path(folder) / f"ledger-{tls}"
                    report = server.load(*flags, *([f"--ledger={ledger}"] if number == 0 else []))
                    self.runs[HEAD_SIZE, HEAD_DEVICES, tls, zstd].append(report)
                    server.settle()
                if number == 0:
                    self._verify(server, ledger)
        for (name, how), each in peers.items():
            self._peer(name, how, each)

    def _verify(self, server, ledger):
        """Everything that was counted in the first repetition is read back."""
        verdict = server.verify(ledger, whole=True)
        self.verdicts.append(verdict)
        say(f"B1: {verdict['read_back']} of {verdict['promised']} crashes read back right")

    def _peer(self, name, how, each):
        flags = next(flags for n, h, _, flags, _ in peer.VARIANTS if (n, h) == (name, how))
        run = [f"--plan={HEAD_SIZE}", f"--devices={HEAD_DEVICES}", f"--duration={self.settings.seconds}s",
               f"--bodies={BODIES_BYTES // HEAD_BYTES}"]
        if name == "radosgw":
            run.append(f"--crashes={self.settings.rgw_crashes}")
        report = each.upload(*run, sync=flags)
        report["memory_mib"] = each.memory_mib()
        stored = each.stored_bytes()
        if report["failed"] or (stored is not None and stored != report["raw_bytes"]):
            self.wrong.append(f"{name} ({how}): {report['failed']} failed ({report['error']}), stored {stored} of "
                              f"{report['raw_bytes']} bytes")
        self.peer_runs[name, how].append(report)
        each.clear()

    def _matrix(self, servers):
        for size in self.settings.sizes:
            for devices in self.settings.devices:
                for tls, server in servers.items():
                    for zstd in (True, False):
                        if (size, devices) == (HEAD_SIZE, HEAD_DEVICES) or not (zstd or self._raw_too(size)):
                            continue
                        report = server.load(*load_flags(size, devices, zstd, self.settings.seconds))
                        self.runs[size, devices, tls, zstd].append(report)
                        server.settle()

    def _raw_too(self, size):
        return self.settings.both_encodings and size == HEAD_SIZE

    def _pinned(self):
        """Server on one core, generator on the other: the head cell once more."""
        parts.SERVER_CORE[:], parts.CLIENT_CORE[:] = ["taskset", "-c", "0"], ["taskset", "-c", "1"]
        try:
            for tls in (False, True):
                server = parts.Corefleet(self.tls if tls else None).start()
                try:
                    for _ in range(min(3, self.settings.repetitions)):
                        self.pinned["corefleet", "TLS" if tls else "plaintext"].append(
                            server.load(*load_flags(HEAD_SIZE, HEAD_DEVICES, False, self.settings.seconds)))
                        server.settle()
                finally:
                    server.close()
            if "nginx" in self.wanted_peers and ("nginx", "not synced") not in self.missing:
                nginx = peer.Nginx()
                try:
                    for how, flags in (("not synced", []), ("fsync of file and folder", ["--sync=fsync"])):
                        self.pinned["nginx", how].append(nginx.upload(
                            f"--plan={HEAD_SIZE}", f"--devices={HEAD_DEVICES}", f"--duration={self.settings.seconds}s",
                            f"--bodies={BODIES_BYTES // HEAD_BYTES}", sync=flags))
                        nginx.clear()
                finally:
                    nginx.close()
        finally:
            parts.SERVER_CORE.clear()
            parts.CLIENT_CORE.clear()

    def _sustained(self):
        """The head cell for longer than analysis waits for a burst's end, and then until it has caught up."""
        server = parts.Corefleet(self.tls).start()
        try:
            seconds = self.settings.sustained_seconds
            report = server.load(*load_flags(HEAD_SIZE, HEAD_DEVICES, True, seconds))
            began = time.monotonic()
            server.settle(600)
            later = report["stored_each_second"][min(ANALYSIS_WAITS, seconds // 2):seconds]
            self.sustained = {**report, "later_per_s": sum(later) / len(later), "later_seconds": len(later),
                              "caught_up_s": time.monotonic() - began}
        finally:
            server.close()

    def _count_syncs(self, peers):
        """Calls that make bytes durable, for each upload, seen by strace: who acknowledges before that."""
        for (name, how), each in peers.items():
            if name == "radosgw":
                continue  # BlueStore's writes are synchronous by aio and O_DSYNC; strace would not see them as calls
            flags = next(flags for n, h, _, flags, _ in peer.VARIANTS if (n, h) == (name, how))
            self.syncs[name, how] = syncs_per_upload(
                each.pids(), lambda each=each, flags=flags: each.upload("--plan=256K", "--crashes=20", "--bodies=20",
                                                                        "--devices=2", sync=flags)["stored"])
            each.clear()
        server = parts.Corefleet().start()
        try:
            self.syncs["corefleet", ""] = syncs_per_upload(
                [server.pid], lambda: server.load("--plan=256K", "--crashes=20", "--bodies=20", "--devices=2")["stored"])
        finally:
            server.close()


def load_flags(size, devices, zstd, seconds):
    return [f"--plan={size}", f"--devices={devices}", f"--duration={seconds}s", f"--zstd={'true' if zstd else 'false'}",
            f"--memory={BODIES_BYTES}"]


def syncs_per_upload(pids, upload):
    """Of the servers' own processes, while upload() runs and says how many it did; None without strace."""
    with tempfile.NamedTemporaryFile("r", prefix="corefleet-strace-") as out:
        command = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs,msync", "-o", out.name]
        for pid in pids:
            command += ["-p", str(pid)]
        try:
            tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            return None
        try:
            stored = upload()
        finally:
            parts.stop(tracer)
        calls = sum(1 for line in out if "sync" in line and "resumed" not in line)
        return calls / max(1, stored)
