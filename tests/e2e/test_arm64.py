"""The collector for arm64 devices, cross-built, run under qemu-user against a real server."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from tests.support import corpus, programs
from tests.support.server import Server, until

SIZE_LIMIT = 24 << 20


def collector():
    """What runs it: qemu, with the arm64 libraries that it was linked against."""
    return [programs.qemu_aarch64(), "-L", str(programs.tools_dir() / "sysroot-arm64"), str(programs.COLLECTOR_ARM64)]


class Arm64(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server.of_class(cls)
        cls.case = corpus.case("b53-oom")

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="corefleet-arm64-")
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def stored_whole(self, device):
        crash = until(lambda: self.server.json("list", "--device", device), "the crash is there")[0]["id"]
        self.assertEqual(self.server.analysed(crash)["state"], "COMPLETE")
        self.assertEqual(self.server.ok("fetch", crash, "--as", "concat", "-o", "-"), self.case.core)

    def test_sends_a_folder(self):
        folder = corpus.write_folder(self.case.regions(), self.scratch, "crash")
        outcome = programs.run(*collector(), "--ingest", self.server.addresses["ingest"], "--device", "arm-once", folder,
                               timeout=300)
        self.assertEqual(outcome.code, 0, outcome)
        self.stored_whole("arm-once")

    def test_the_agent_spools_and_sends(self):
        crashes = self.scratch / "crashes"
        crashes.mkdir()
        corpus.write_folder(self.case.regions(), crashes, "crash")
        config = self.scratch / "collector.conf"
        config.write_text(f"""
server: "{self.server.addresses['ingest']}"
device: "arm-agent"
state_dir: "{self.scratch}/state"
source {{ path: "{crashes}" settle: "1s" patience: "2s" }}
spool {{ min_free_bytes: "1M" min_free_inodes: 1 max_bytes: "1G" }}
upload {{ interval: "1s" start_jitter: 0 max_delay: "1s" }}
""")
        with open(self.scratch / "agent.log", "wb") as log:
            agent = subprocess.Popen([*collector(), "agent", "--config", str(config)], stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log)
        self.addCleanup(agent.wait, 60)
        self.addCleanup(agent.terminate)
        try:
            until(lambda: self.server.json("list", "--device", "arm-agent"), "the agent brings it", 180)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(self.scratch / 'agent.log').read_text(errors='replace')[-3000:]}") from error
        self.stored_whole("arm-agent")

    def test_is_an_arm64_program_of_a_devices_size(self):
        stripped = self.scratch / "stripped"
        subprocess.run([programs.tool("aarch64-linux-gnu-strip"), programs.COLLECTOR_ARM64, "-o", stripped], check=True)
        self.assertEqual(stripped.read_bytes()[18:20], b"\xb7\x00", "EM_AARCH64")
        self.assertLess(os.path.getsize(stripped), SIZE_LIMIT)


if __name__ == "__main__":
    unittest.main()
