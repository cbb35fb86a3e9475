"""Seeded faults under load (tests/durability/storm): nothing acknowledged is lost, doubled or changed.

tests/durability/run does the same for as long as one likes.
"""

import os
import unittest

from tests.durability.storm.storm import Round

SEED = int(os.environ.get("COREFLEET_SEED", "20261123"))
FAULTS = int(os.environ.get("COREFLEET_FAULTS", "60"))


class Storm(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        report = Round(SEED, FAULTS, outage_seconds=5).run()
        self.assertEqual(report["faults"], FAULTS)
        self.assertGreater(report["acknowledged"], FAULTS, "hardly anything got through: this run proves little")
        self.assertGreater(report["attempts"], report["acknowledged"], "no upload was hit: this run proves nothing")

    def test_a_disk_that_lies_is_found_out(self):
        """The same storm over a disk whose syncs do nothing must fail, or it would find no other loss either."""
        with self.assertRaisesRegex(AssertionError, r"\A(lost|wrong)"):
            Round(SEED, 12, outage_seconds=1, lying_disk=True).run()


if __name__ == "__main__":
    unittest.main()
