"""kill -9 of the server between bytes, row, ack and facts: nothing acknowledged is lost, nothing appears twice.

strace delivers the signal at the entry of a chosen system call, so the process dies at that very step:

    fdatasync   the pack is written and not durable             (before the bytes)
    sendto      libpq asks the database for something           (between bytes and row, row and commit, row and facts)
    recvfrom    the database has done it, corefleetd not read it (between row and ack)
    sendmsg     gRPC is about to answer                         (before the ack is out)

The database is one that outlives the server, so that only corefleetd's threads are under strace.
"""

import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from tests.support import corpus, postgres, programs
from tests.support.server import Server, until

SEED = int(os.environ.get("COREFLEET_SEED", "20261123"))
PER_CALL = int(os.environ.get("COREFLEET_KILLS", "8"))


class Uploads:
    """Uploads that go on until they are through, and what came of them: {path: id}."""

    def __init__(self, server):
        self.server = server
        self.stored = {}

    def send(self, folder, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                outcome = self.server.cli("upload", "--json", "--device", "kill", folder, timeout=30)
            except subprocess.TimeoutExpired:
                continue
            if outcome.code == 0:
                self.stored[str(folder)] = programs.json_lines(outcome.out)[0]["id"]
                return
            time.sleep(0.1)
        raise AssertionError(f"{folder} did not get through in {seconds} s")


class Killed(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="corefleet-kill-")
        self.addCleanup(self.scratch.cleanup)
        self.case = corpus.case("a47-null-oops")
        self.cores = {}

    def folder(self, number):
        files, core = corpus.variant(self.case, number)
        folder = corpus.write_folder(files, self.scratch.name, f"crash-{number}")
        self.cores[str(folder)] = core
        return folder

    def check_all_there_once(self, server, stored):
        """Exactly one crash for each upload, every byte of it, and its facts."""
        self.assertEqual(stored.keys(), self.cores.keys())
        self.assertEqual(len(set(stored.values())), len(stored), "two uploads, one id")
        self.assertEqual(sorted(server.ids()), sorted(stored.values()))
        for folder, crash in stored.items():
            info = server.analysed(crash)
            self.assertEqual(info["state"], "COMPLETE")
            self.assertEqual(server.ok("fetch", crash, "--as", "concat", "-o", "-"), self.cores[folder])


class AtAChosenSystemCall(Killed):
    def setUp(self):
        super().setUp()
        self.cluster = postgres.Cluster()
        self.addCleanup(self.cluster.close)
        self.server = Server(flags=[f"--database={self.cluster.uri}"])
        self.addCleanup(self.server.close)
        self.server.start()

    def run_with_kills_at(self, call, deepest):
        """Serves with a kill at the N-th `call` of a thread, N drawn anew each time, while one crash after another is
        uploaded; gives back how often the server died."""
        pick = random.Random(f"{SEED} {call}")
        uploads = Uploads(self.server)
        deaths = 0
        for number in range(1, PER_CALL + 1):
            self.server.stop()
            when = pick.randint(1, deepest)
            self.server.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                                   "-e", f"inject={call}:signal=KILL:when={when}"]
            self.server.launch()
            sender = threading.Thread(target=uploads.send, args=(self.folder(number),))
            if self.came_up():
                sender.start()
                self.died_within(3, sender)
            died = self.server.process.poll() is not None
            deaths += died
            if not died:
                self.server.kill()
            self.server.wrapper = []
            self.server.start()
            if not sender.ident:
                sender.start()
            sender.join(120)
        self.check_all_there_once(self.server, uploads.stored)
        return deaths

    def came_up(self):
        """False when the kill hit already while it started, which it may."""
        until(lambda: self.server.addresses_written() or self.server.process.poll() is not None, "it starts or dies")
        return self.server.process.poll() is None

    def died_within(self, seconds, sender):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.server.process.poll() is None:
            if not sender.is_alive() and time.monotonic() > end - seconds + 1:
                return
            time.sleep(0.02)

    def test_before_the_bytes_are_durable(self):
        self.assertGreater(self.run_with_kills_at("fdatasync", 2), 0, "no kill hit: this run proves nothing")

    def test_while_the_bytes_are_written(self):
        self.assertGreater(self.run_with_kills_at("pwrite64,pwritev,write", 4), 0, "no kill hit")

    def test_between_bytes_and_row(self):
        self.assertGreater(self.run_with_kills_at("sendto", 25), 0, "no kill hit")

    def test_between_row_and_ack(self):
        self.assertGreater(self.run_with_kills_at("recvfrom", 25), 0, "no kill hit")

    def test_before_the_answer_is_out(self):
        self.assertGreater(self.run_with_kills_at("sendmsg", 8), 0, "no kill hit")


class AtAnyMoment(Killed):
    def test_with_four_uploaders_and_the_embedded_database(self):
        """Kills come while four uploaders are at work; PostgreSQL may still be going down when the next server starts."""
        pick = random.Random(SEED)
        server = Server().start()
        self.addCleanup(server.close)
        uploads = Uploads(server)
        folders = [self.folder(number) for number in range(1, 41)]
        senders = [threading.Thread(target=lambda part=part: [uploads.send(f, 240) for f in folders[part::4]])
                   for part in range(4)]
        for sender in senders:
            sender.start()
        kills = 0
        while any(sender.is_alive() for sender in senders) and kills < 12:
            time.sleep(pick.uniform(0.02, 0.4))  # forty uploads may take two seconds
            server.kill()
            server.start()
            kills += 1
        for sender in senders:
            sender.join(240)
        self.assertGreater(kills, 2)
        self.check_all_there_once(server, uploads.stored)

    def test_facts_come_after_the_restart(self):
        """The server dies right after the upload's answer: what was not analysed yet is, later."""
        server = Server().start()
        self.addCleanup(server.close)
        uploads = Uploads(server)
        for number in range(1, 9):
            uploads.send(self.folder(number))
            server.kill()
            server.start()
        self.check_all_there_once(server, uploads.stored)

    def test_the_whole_group_is_killed(self):
        """A machine that loses power takes the database along."""
        server = Server().start()
        self.addCleanup(server.close)
        uploads = Uploads(server)
        for number in range(1, 5):
            uploads.send(self.folder(number))
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait(20)
            server.start()
        self.check_all_there_once(server, uploads.stored)


del Killed  # a base, not a suite


if __name__ == "__main__":
    unittest.main()
