"""The programs of tests/bench and how they are started."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile

from tests.bench.ingest import machine
from tests.support import programs
from tests.support.server import Server, until

BENCH = programs.BAZEL_BIN / "tests/bench"
LOAD = BENCH / "load/corefleet-load"
PUT = BENCH / "put/corefleet-put"
LINK = BENCH / "proxy/corefleet-link"
LIMIT = BENCH / "limit/machine_limit"
NULL = BENCH / "limit/null_ingest"
CORPUS = programs.REPOSITORY / "tests/corpus"

# Command prefixes that pin server and client to cores of their own; empty: wherever the kernel likes.
SERVER_CORE = []
CLIENT_CORE = []


class Failed(Exception):
    """A part did not do what the benchmark needs; the text says what."""


def run_json(command, seconds):
    """Runs a client to its end and reads the JSON that it prints."""
    done = subprocess.run([str(part) for part in [*CLIENT_CORE, *command]], capture_output=True, text=True,
                          timeout=seconds, check=False)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        raise Failed(f"{command[0]}: exit {done.returncode}\n{done.stderr[-1500:]}") from None


def start_with_port(command, **options):
    """Starts a program that prints its port as its first line; (process, port)."""
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               text=True, **options)
    line = process.stdout.readline()
    if not line.strip().isdigit():
        process.kill()
        raise Failed(f"{command[0]} does not start")
    return process, int(line)


def stop(process, seconds=20):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    if process and process.stdout:
        process.stdout.close()


class Certificates:
    """What deploy/certificates makes, in a temporary folder."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="corefleet-bench-tls-")
        self.folder = pathlib.Path(self._folder.name)
        for arguments in (["init"], ["gateway", "bench"], ["engineer", "bench"]):
            subprocess.run([programs.REPOSITORY / "deploy/certificates", arguments[0], self.folder, *arguments[1:]],
                           check=True, capture_output=True)

    def server_flags(self):
        return [f"--ingest_cert={self.folder}/ingest.crt", f"--ingest_key={self.folder}/ingest.key",
                f"--ingest_client_roots={self.folder}/devices-root.crt"]

    def null_flags(self):
        return [f"--certificate={self.folder}/ingest.crt", f"--key={self.folder}/ingest.key",
                f"--ca={self.folder}/devices-root.crt"]

    def device_flags(self):
        # The gateway's: it may speak for every device, as a fleet of so many needs.
        return [f"--ca={self.folder}/devices-root.crt", f"--certificate={self.folder}/gateway-bench.crt",
                f"--key={self.folder}/gateway-bench.key", "--tls_name=localhost"]

    def close(self):
        self._folder.cleanup()


class Corefleet:
    """corefleetd with its private PostgreSQL, on free ports."""

    name = "corefleet"

    def __init__(self, tls=None, flags=()):
        self.tls = tls
        self.server = Server(flags=[*(tls.server_flags() if tls else []), *flags])
        self.next_crash = 0

    def start(self):
        if SERVER_CORE:
            # taskset execs, so the process is the server's own.
            command = self.server.command
            self.server.command = lambda: [*SERVER_CORE, *command()]
        self.server.start()
        return self

    @property
    def pid(self):
        return self.server.process.pid

    def port(self):
        return int(self.server.addresses["ingest"].rpartition(":")[2])

    def client_flags(self):
        return self.tls.device_flags() if self.tls else []

    def load(self, *flags, port=None, seconds=600):
        """Runs corefleet-load against it; its report, with what the server spent meanwhile."""
        before = (machine.cpu_of(self.pid), self.postgres_cpu())
        report = run_json([LOAD, f"--ingest=127.0.0.1:{port or self.port()}", f"--corpus={CORPUS}",
                           f"--first={self.next_crash}", *self.client_flags(), *flags], seconds)
        self.next_crash += report.get("offered", 0)
        report["server_cpu_s"] = machine.cpu_of(self.pid) - before[0]
        report["postgres_cpu_s"] = self.postgres_cpu() - before[1]
        return report

    def postgres_cpu(self):
        """Of the server's own children: the private PostgreSQL."""
        return machine.CpuOfTree(self.pid).seconds() - machine.cpu_of(self.pid)

    def verify(self, ledger, whole=False, seconds=600):
        """corefleet-load's verdict over a ledger."""
        archive = self.server.addresses["archive"]
        return run_json([LOAD, f"--verify={ledger}", f"--archive={archive}", f"--ingest=127.0.0.1:{self.port()}",
                         *self.client_flags(), *(["--whole_archive"] if whole else [])], seconds)

    def settle(self, seconds=180):
        """Waits until everything received is analysed, so that it costs the next cell nothing."""
        until(lambda: not self.server.json("list", "--state", "RECEIVED", "-n", "1"), "all is analysed", seconds, 0.1)

    def close(self):
        self.server.close()


class NullIngest:
    """gRPC and TLS with nothing behind."""

    def __init__(self, tls=None):
        self.tls = tls
        self.process, self._port = start_with_port([*SERVER_CORE, NULL, *(tls.null_flags() if tls else [])])

    def load(self, *flags, seconds=600):
        before = machine.cpu_of(self.process.pid)
        report = run_json([LOAD, f"--ingest=127.0.0.1:{self._port}", f"--corpus={CORPUS}",
                           *(self.tls.device_flags() if self.tls else []), *flags], seconds)
        report["server_cpu_s"] = machine.cpu_of(self.process.pid) - before
        return report

    def close(self):
        stop(self.process)


class Link:
    """corefleet-link in front of a port; `counts` when it has ended."""

    def __init__(self, target_port, *flags, prefix=()):
        self._folder = tempfile.TemporaryDirectory(prefix="corefleet-link-")
        self._counts = pathlib.Path(self._folder.name) / "counts.json"
        self.process, self.port = start_with_port(
            [*prefix, *CLIENT_CORE, LINK, f"--target_port={target_port}", f"--counts={self._counts}", *flags])

    def close(self):
        """Ends it and gives back what passed."""
        stop(self.process)
        counts = json.loads(self._counts.read_text())
        self._folder.cleanup()
        return counts

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def root():
    return os.geteuid() == 0
