"""Rows, packs and analyses after a load: the reconciler of a real server finds no difference, and finds one that is made."""

import pathlib
import tempfile
import threading
import time
import unittest

from tests.support import corpus
from tests.support.account import account, metric
from tests.support.device import Device, random_crash
from tests.support.server import Server, until

DIFFERENCES = ("corefleet_ingest_difference", "corefleet_reconcile_lost_packs", "corefleet_reconcile_unreadable_segments",
               "corefleet_reconcile_orphan_packs", "corefleet_reconcile_lost_analyses",
               "corefleet_scrub_damaged_packs_total")
DEVICES, CRASHES = 8, 5


class Reconcile(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)
        self.server.start()

    def load(self):
        """Devices at the same time; real crashes among what they bring."""
        case = corpus.case("a47-null-oops")
        failed = []
        def bring(number):
            device = Device(self.server.addresses["ingest"], f"load-{number}")
            try:
                for _ in range(CRASHES):
                    device.bring(random_crash(log_bytes=100_000, other_bytes=300_000))
            except Exception as error:  # pylint: disable=broad-except
                failed.append(repr(error))
            finally:
                device.close()
        threads = [threading.Thread(target=bring, args=(number,)) for number in range(DEVICES)]
        for thread in threads:
            thread.start()
        with tempfile.TemporaryDirectory(prefix="corefleet-reconcile-") as folder:
            self.server.upload(corpus.write_folder(case.with_table(), folder, "memory"))
        for thread in threads:
            thread.join(120)
        self.assertEqual(failed, [])

    def pass_after_restart(self):
        """What the first whole pass of a fresh server found."""
        until(lambda: metric(self.server, "corefleet_analysis_backlog") == 0, "everything is analysed", 60)
        self.server.stop()
        restarted = time.time()
        self.server.start()
        # Ten seconds between two segments; the clocks are one, but for the rounding.
        until(lambda: (metric(self.server, "corefleet_reconcile_pass_timestamp_seconds") or 0) > restarted - 1,
              "a pass is through", 90, every=0.5)
        return {name: metric(self.server, name) for name in DIFFERENCES}

    def test_after_a_load_there_is_no_difference_and_a_damaged_byte_is_one(self):
        self.load()
        found = self.pass_after_restart()
        self.assertEqual(found, dict.fromkeys(DIFFERENCES, 0))
        whole = DEVICES * CRASHES + 1
        self.assertEqual(account(self.server), [whole, whole, 0, 0, 0])
        self.assertEqual(metric(self.server, "corefleet_crashes"), whole)
        segments = sorted(pathlib.Path(self.server.data_dir / "segments").iterdir(), key=lambda path: path.stat().st_size)
        with open(segments[-1], "r+b") as segment:
            segment.seek(segments[-1].stat().st_size // 2)
            byte = segment.read(1)
            segment.seek(-1, 1)
            segment.write(bytes([byte[0] ^ 1]))
        found = self.pass_after_restart()
        self.assertGreaterEqual(found["corefleet_reconcile_lost_packs"], 1, found)
        self.assertEqual(found["corefleet_ingest_difference"], 0)


if __name__ == "__main__":
    unittest.main()
