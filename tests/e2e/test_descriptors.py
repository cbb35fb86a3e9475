"""CVE-2023-4785: gRPC 1.51 stops accepting for ever once its process has run out of descriptors.

Both walls are tested apart: corefleetd's own acceptor, which never lets it come so far, and the watchdog, which ends a
server that does not answer, so that whoever started it starts another.
"""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from tests.support import corpus, programs
from tests.support.certificates import Certificates
from tests.support.server import Server, until

LIMIT = 192
GAVE_UP = 75


class FewDescriptors(Server):
    """A server that may have LIMIT descriptors and not one more."""

    def __init__(self, flags=()):
        super().__init__(flags=flags, wrapper=["prlimit", f"--nofile={LIMIT}:{LIMIT}"])

    def pid(self):
        return self.process.pid  # prlimit becomes the server


class Flood:
    """Idle connections, as many as somebody else takes."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.to = (host, int(port))
        self.sockets = []

    def open(self, count):
        for _ in range(count):
            try:
                self.sockets.append(socket.create_connection(self.to, timeout=5))
            except OSError:
                pass
        return self

    def close(self):
        for connection in self.sockets:
            connection.close()
        self.sockets = []


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Attacked(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="corefleet-descriptors-")
        self.addCleanup(self.scratch.cleanup)
        self.case = corpus.case("f16k-silent-hang")

    def folder(self, number=0):
        path = pathlib.Path(self.scratch.name) / f"crash-{number}"
        if path.exists():
            return path
        files, _ = corpus.variant(self.case, number)
        return corpus.write_folder(files, self.scratch.name, path.name)

    def started(self, server):
        self.addCleanup(server.close)
        return server.start()


class Acceptor(Attacked):
    """The watchdog is off: what holds, the acceptor holds alone."""

    FLAGS = ("--watchdog_interval=0",)

    def attack(self, server, environment=None):
        environment = {**server.environment(), **(environment or {})}

        def cli(*arguments):
            return programs.run(programs.COREFLEET, *arguments, env=environment, timeout=60)

        flood = Flood(server.addresses["ingest"]).open(3 * LIMIT)
        self.addCleanup(flood.close)
        until(lambda: self.refused(server) > 0, "connections above the line are closed")
        self.assertLess(descriptors(server.pid()), LIMIT - 16, "the rest is kept for what is under way")
        # Engineers have a part of their own.
        self.assertEqual(cli("list").code, 0)
        flood.close()
        end = time.monotonic() + 20
        while (outcome := cli("upload", "--device", "pixel-7", self.folder())).code != 0:
            self.assertLess(time.monotonic(), end, f"it never came back: {outcome!r}")
        self.assertIsNone(server.process.poll())

    def refused(self, server):
        text = urllib.request.urlopen(f"http://{server.addresses['http']}/metrics", timeout=10).read().decode()
        for line in text.splitlines():
            if line.startswith("corefleet_connections_total") and 'outcome="refused"' in line and 'port="ingest"' in line:
                return float(line.split()[-1])
        return 0

    def test_in_plaintext(self):
        self.attack(self.started(FewDescriptors(self.FLAGS)))

    def test_with_tls(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        device, viewer = certificates.issue("device", "pixel-7"), certificates.issue("viewer", "ann")
        server = self.started(FewDescriptors([*self.FLAGS, *certificates.server_flags()]))
        self.attack(server, certificates.environment(engineer=viewer, device=device))

    def test_again_and_again(self):
        server = self.started(FewDescriptors(self.FLAGS))
        for number in range(5):
            flood = Flood(server.addresses["ingest"]).open(2 * LIMIT)
            flood.close()
            end = time.monotonic() + 20
            while server.cli("upload", "--device", "pixel-7", self.folder(number)).code != 0:
                self.assertLess(time.monotonic(), end, f"round {number}: it never came back")

    def test_the_system_itself_has_none_left(self):
        """accept() says EMFILE for a while, whatever the reason: it is asked again."""
        server = self.started(Server(flags=self.FLAGS))
        tracer = self.trace(server, "accept4:error=EMFILE:when=1..40")
        until(lambda: "cannot accept" in server.log() or self.knock(server), "accepting fails")
        outcome = server.cli("upload", "--device", "pixel-7", self.folder(), timeout=60)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
        if outcome.code != 0:
            outcome = server.cli("upload", "--device", "pixel-7", self.folder(), timeout=60)
        self.assertEqual(outcome.code, 0, repr(outcome))
        self.assertIn("cannot accept", server.log())

    def knock(self, server):
        Flood(server.addresses["ingest"]).open(1).close()
        return False

    def trace(self, server, injection):
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=accept4",
                                   "-e", f"inject={injection}", "-p", str(server.pid())],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: tracer.poll() is None and tracer.kill())
        until(lambda: self.is_traced(server.pid()), "strace holds the server")
        return tracer

    @staticmethod
    def is_traced(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return "TracerPid:\t0\n" not in status.read()


class Watchdog(Attacked):
    """Accepting fails for ever: what gRPC's own acceptor makes of one moment without descriptors."""

    trace = Acceptor.trace
    is_traced = staticmethod(Acceptor.is_traced)

    def hang(self, server):
        return self.trace(server, "accept4:error=EMFILE")

    def test_a_server_that_does_not_answer_ends_and_the_next_one_serves(self):
        server = self.started(Server(flags=["--watchdog_interval=1s"]))
        before = programs.json_lines(server.ok("upload", "--json", "--device", "pixel-7", self.folder()))[0]["id"]
        tracer = self.hang(server)
        pending = []

        def upload_until_it_is_through():
            while server.cli("upload", "--device", "pixel-7", self.folder(1)).code != 0:
                time.sleep(0.2)
            pending.append("stored")

        sender = threading.Thread(target=upload_until_it_is_through)
        sender.start()
        until(lambda: server.process.poll() is not None, "the watchdog ends it", 90)
        self.assertEqual(server.process.returncode, GAVE_UP)
        self.assertIn("a port has stopped answering", server.log())
        tracer.wait(20)
        server.start()  # systemd's part
        sender.join(120)
        self.assertEqual(pending, ["stored"])
        self.assertIn(before, server.ids())
        self.assertEqual(len(server.ids()), 2)

    def test_with_tls_as_well(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        server = self.started(Server(flags=["--watchdog_interval=1s", *certificates.server_flags()]))
        time.sleep(6)
        self.assertIsNone(server.process.poll(), server.log()[-2000:])
        self.assertNotIn("a port does not answer", server.log())
        self.hang(server)
        until(lambda: server.process.poll() is not None, "the watchdog ends it", 90)
        self.assertEqual(server.process.returncode, GAVE_UP)

    def test_a_full_port_is_no_reason_to_end(self):
        server = self.started(FewDescriptors(["--watchdog_interval=1s"]))
        flood = Flood(server.addresses["ingest"])
        self.addCleanup(flood.close)
        end = time.monotonic() + 15
        while time.monotonic() < end:
            flood.close()
            flood.open(2 * LIMIT)
            time.sleep(0.5)
        self.assertIsNone(server.process.poll(), server.log()[-2000:])
        flood.close()
        until(lambda: server.cli("upload", "--device", "pixel-7", self.folder()).code == 0, "it serves")


del Attacked  # a base, not a suite


if __name__ == "__main__":
    unittest.main()
