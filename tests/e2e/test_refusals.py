"""The server's own limits refuse with a reason and a delay that is kept: uploads under way, the disk, the database. And an upload
that never ends becomes a part of a crash, which a late one completes."""

import os
import signal
import subprocess
import threading
import time

import grpc

from tests.support import postgres
from tests.support.admission import AdmissionCase
from tests.support.device import CHUNK, Refused, random_crash
from tests.support.server import Server, until

NEW, RESUMING, COMPLETE = 1, 2, 3  # proto BeginCrashResponse.State
PB_ALL, PB_NONE = 1, 2  # proto Want
MEMORY = 1 << 20


class RefusalCase(AdmissionCase):
    def setUp(self):
        super().setUp()
        self.offers = 0

    def turned_away(self, device, crash, reason, limit, most_seconds):
        """Offers it and is refused; checks all that a device needs to know about it."""
        self.offers += 1
        refused = self.refused(lambda: device.begin(crash), reason)
        self.assertEqual(refused.code, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(refused.limit, limit)
        self.assertTrue(0 < refused.delay <= most_seconds, refused)
        self.assertEqual(refused.pushback_ms, round(refused.delay * 1000))
        return refused

    def comes_in(self, device, crash, reason, seconds):
        """Offers it again and again, as an impolite device does, until it is let in; the crash's id."""
        def offered():
            self.offers += 1
            try:
                return device.bring(crash)
            except Refused as refused:
                self.assertEqual(refused.reason, reason, refused)
                return None
        return until(offered, "it is let in again", seconds, every=0.2)

    def assert_counted(self, reason, accepted, pending=0):
        """Every offer is in the account, and those that were refused under their reason."""
        self.assertEqual(self.assert_balance(self.offers)[1:],
                         [accepted, self.offers - accepted - pending, 0, pending])
        self.assertEqual(self.metric("corefleet_ingest_refused_total", reason=reason),
                         self.offers - accepted - pending)


class Limits(RefusalCase):
    def test_bytes_in_flight(self):
        self.start(f"--bytes_in_flight={6 * MEMORY}")
        first, second = self.device("first"), self.device("second")
        large, small = random_crash(other_bytes=5 * MEMORY), random_crash(other_bytes=5 * MEMORY)
        self.offers += 1
        begun = first.begin(large)
        refused = self.turned_away(second, small, "BYTES_IN_FLIGHT", "bytes_in_flight", 60)
        self.assertEqual(first.begin(large).state, RESUMING, "what is under way goes on")
        first.send(begun, large)
        self.assertTrue(first.finish(begun.session).crash)
        time.sleep(refused.delay)
        self.offers += 1
        self.assertTrue(second.bring(small), "who keeps to the word gets in")
        self.assert_counted("bytes_in_flight", accepted=2)

    def test_a_full_disk(self):
        disk = self.scratch / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", disk], capture_output=True,
                                 check=False).returncode == 0
        if mounted:
            self.addCleanup(subprocess.run, ["umount", disk], check=True)
        cluster = postgres.Cluster()
        self.addCleanup(cluster.close)
        flags = [f"--rules={self.rules_path}", f"--database={cluster.uri}"]
        # Who may not mount has a disk that is full by definition.
        self.server = Server(data_dir=disk / "data", flags=flags + ([] if mounted else [f"--min_free_bytes={1 << 60}"]))
        self.addCleanup(self.server.close)
        self.server.start()
        device = self.device("full")
        if mounted:
            self.offers += 1
            self.assertTrue(device.bring(random_crash()))
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
            with open(disk / "filler", "wb") as filler:
                os.posix_fallocate(filler.fileno(), 0, free - 60 * MEMORY)  # of the 64 MiB that have to stay free
        crash = random_crash()
        refused = self.turned_away(device, crash, "STORE_FULL", "min_free_bytes", 600)
        self.assertGreaterEqual(refused.delay, 300)
        self.assertEqual(self.metric("corefleet_admission_store_full"), 1)
        if mounted:
            (disk / "filler").unlink()
        else:
            self.server.flags = flags
            self.server.restart()
        self.assertTrue(self.comes_in(device, crash, "STORE_FULL", 20))
        self.assertEqual(self.metric("corefleet_admission_store_full"), 0)
        self.assert_counted("store_full", accepted=2 if mounted else 1)

    def test_a_database_that_is_slow(self):
        cluster = postgres.Cluster()
        self.addCleanup(cluster.close)
        self.start(f"--database={cluster.uri}", "--slow_database=50ms")
        device, crash = self.device("slow"), random_crash()
        self.offers += 1
        self.assertTrue(device.bring(random_crash()))
        # A question that hangs for a second counts a tenth of it in the average: twice the mark.
        stalled = cluster.pids()
        for pid in stalled:
            os.kill(pid, signal.SIGSTOP)
        waiting = []
        asking = threading.Thread(target=lambda: waiting.append(self.outcome_of(device, random_crash())))
        asking.start()
        time.sleep(1)
        for pid in stalled:
            os.kill(pid, signal.SIGCONT)
        asking.join(30)
        self.offers += 1
        self.assertEqual(waiting, ["DATABASE_BUSY"], "it is refused, and not lost")
        self.turned_away(device, crash, "DATABASE_BUSY", None, 10)
        self.assertTrue(self.comes_in(device, crash, "DATABASE_BUSY", 30))
        self.assert_counted("database_busy", accepted=2)

    @staticmethod
    def outcome_of(device, crash):
        try:
            return device.begin(crash).state
        except Refused as refused:
            return refused.reason


class Parts(RefusalCase):
    def test_what_expires_becomes_a_part_and_is_completed_late(self):
        cluster = postgres.Cluster()
        self.addCleanup(cluster.close)
        self.start(f"--database={cluster.uri}")
        device, crash = self.device("gone"), random_crash(other_bytes=4 * CHUNK)
        begun = device.begin(crash)
        silent = device.begin(random_crash())  # of this one nothing ever comes
        some = [self.range_of(begun, 0, 0, 1), self.range_of(begun, 1, 0, 1), self.range_of(begun, 2, 0, 2)]
        self.assertEqual(device.send_ranges(begun.session, crash, some), 4)
        # A week later: the server looks for what has expired when it starts, and once a minute.
        self.server.stop()
        cluster.sql("UPDATE ingest_session SET expires_at = now() - interval '1 minute'")
        self.server.start()
        part = until(self.server.ids, "the part is a crash", 30)
        self.assertEqual(len(part), 1)
        info = self.server.analysed(part[0])
        sizes = [len(content) for _, _, content in crash]
        self.assertEqual(int(info["here_bytes"]), sum(sizes) - 2 * CHUNK)
        self.assertEqual(info["terms"]["want"], "ALL")
        self.assertEqual([(each["region"], each["detail"]) for each in info["defects"] if each["code"] == "NOT_SENT"],
                         [("Kunknown 44", f"{2 * CHUNK} of its {4 * CHUNK} bytes are not here")])
        self.assertEqual(self.server.ok("cat", part[0], "Kunknown"), crash[2][2][:2 * CHUNK])
        self.assertEqual(self.assert_balance(2), [2, 1, 0, 1, 0])
        self.assertEqual(self.metric("corefleet_ingest_expired_total", reason="never_sent"), 1)
        self.assertNotEqual(silent.session, begun.session)

        device = self.device("gone")  # a connection to the server that runs now
        late = device.begin(crash)
        self.assertEqual((late.state, late.crash, late.want), (RESUMING, part[0], PB_ALL))
        self.assertEqual([(each.region, each.first, each.count) for each in late.missing], [(2, 2, 2)])
        self.assertEqual(device.send(late, crash), 2)
        self.assertEqual(device.finish(late.session).crash, part[0], "the same crash")
        def read_again():
            found = self.server.info(part[0])
            return found if all(each["code"] != "NOT_SENT" for each in found["defects"]) else None
        whole = until(read_again, "it is read again", 30)
        self.assertEqual((whole["here_bytes"], whole["revision"]), (whole["raw_bytes"], 1))
        self.assertEqual(self.server.ids(), part)
        for name, _, content in crash:
            self.assertEqual(self.server.ok("cat", part[0], name), content)
        again = device.begin(crash)
        self.assertEqual((again.state, again.want, again.crash), (COMPLETE, PB_NONE, part[0]))
        self.assertEqual(self.assert_balance(2), [2, 1, 0, 1, 0], "bytes that come late are no offer")

    @staticmethod
    def range_of(begun, region, first, count):
        return type(begun.missing[0])(region=region, first=first, count=count)


del RefusalCase, AdmissionCase  # bases, not suites
