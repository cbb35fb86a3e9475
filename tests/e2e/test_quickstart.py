"""deploy/quickstart as a newcomer runs it: twice, then stop. The programs are built already."""

import os
import socket
import tempfile
import time
import unittest

from tests.support import programs

QUICKSTART = programs.REPOSITORY / "deploy/quickstart"


def free_addresses(count):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    return addresses


class Quickstart(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="corefleet-quickstart-")
        self.addCleanup(scratch.cleanup)
        ingest, archive, http = free_addresses(3)
        self.env = {**os.environ, "COREFLEET_DATA": f"{scratch.name}/data", "TMPDIR": scratch.name,
                    "COREFLEET_INGEST": ingest, "COREFLEET_SERVER": archive, "COREFLEET_HTTP": http,
                    "COREFLEET_BIN": str(programs.BAZEL_BIN)}
        self.addCleanup(self.quickstart, "stop")

    def quickstart(self, *arguments):
        return programs.run(QUICKSTART, *arguments, env=self.env, timeout=120)

    def test_twice_then_stop(self):
        first = self.quickstart()
        self.assertEqual(first.code, 0, first)
        for word in ("6.1.0-47-cloud-amd64", "DOE", "Kernel panic - not syncing: Fatal exception",
                     self.env["COREFLEET_SERVER"], self.env["COREFLEET_INGEST"], self.env["COREFLEET_HTTP"],
                     "Try next", "deploy/quickstart stop"):
            self.assertIn(word, first.text)
        self.assertNotIn("\x1b", first.text, "no colours where there is no terminal")
        status = self.quickstart("status")
        self.assertEqual(status.code, 0, status)

        began = time.monotonic()
        second = self.quickstart()
        self.assertEqual(second.code, 0, second)
        self.assertLess(time.monotonic() - began, 60)
        self.assertIn("running already", second.text)
        self.assertEqual(self.quickstart("status").text, status.text, "the same server")
        listed = programs.run(programs.COREFLEET, "list", "--json", env=self.env)
        self.assertEqual(len(programs.json_lines(listed.out)), 1)

        self.assertEqual(self.quickstart("stop").code, 0)
        self.assertEqual(self.quickstart("status").code, 1)
        third = self.quickstart()
        self.assertEqual(third.code, 0, third)
        listed = programs.run(programs.COREFLEET, "list", "--json", env=self.env)
        self.assertEqual(len(programs.json_lines(listed.out)), 1, "the data outlive the server")

    def test_a_port_that_is_taken_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.env["COREFLEET_SERVER"] = f"127.0.0.1:{taken.getsockname()[1]}"
            outcome = self.quickstart()
            self.assertEqual(outcome.code, 1, outcome)
            self.assertIn(self.env["COREFLEET_SERVER"], outcome.error)

    def test_help(self):
        self.assertEqual(self.quickstart("--what").code, 2)


if __name__ == "__main__":
    unittest.main()
