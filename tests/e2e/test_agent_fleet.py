"""The agent as a member of a fleet: TLS with a certificate that says who it is, rules that ask for less, servers that are down and
come back elsewhere, delays that it keeps to; and what `status` says to whom the spool is not."""

import os
import pathlib
import shutil
import socket
import tempfile
import time
import unittest

from tests.support import corpus, programs
from tests.support.account import account, metric
from tests.support.agent import Device
from tests.support.certificates import Certificates
from tests.support.server import Server, until


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Fleet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.case = corpus.case("a47-null-oops")
        cls.certificates = Certificates()
        cls.addClassCleanup(cls.certificates.close)
        cls.edge1 = cls.certificates.issue("device", "edge-1")
        cls.viewer = cls.certificates.issue("viewer", "ann")

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-fleet-"))
        self.addCleanup(shutil.rmtree, self.root, True)
        self.rules = self.root / "rules.textproto"
        self.write_rules("")

    def write_rules(self, text):
        (self.root / "fresh").write_text(text)
        os.replace(self.root / "fresh", self.rules)

    def use(self, text, count=0, switch=0):
        """Writes the rules and waits until the server goes by them."""
        self.write_rules(text)
        until(lambda: metric(self.server, "corefleet_admission_rules") == count
              and metric(self.server, "corefleet_admission_kill_switch") == switch, "the rules are taken up", 15)

    def start_server(self):
        self.server = Server(flags=[f"--rules={self.rules}", *self.certificates.server_flags()])
        self.addCleanup(self.server.close)
        return self.server.start()

    def device(self, name="edge-1", servers=None, certificate=None, upload="", named=True):
        stem = certificate or self.edge1
        tls = (f'tls {{ root_file: "{self.certificates.path("devices-root.crt")}" certificate_file: "{stem}.crt" '
               f'key_file: "{stem}.key" }}')
        device = Device(self.root, name, "")
        device.configure(servers or self.server.addresses["ingest"], tls, upload, named)
        self.addCleanup(device.kill)
        return device

    def put(self, device, number=0):
        files = corpus.variant(self.case, number)[0] if number else self.case.with_table()
        return corpus.write_folder(files, device.crashes, f"crash-{number}")

    def command(self, *arguments):
        """corefleet, as an engineer who may look."""
        environment = {**self.server.environment(), **self.certificates.environment(engineer=self.viewer)}
        outcome = programs.run(programs.COREFLEET, *arguments, "--json", env=environment)
        self.assertEqual(outcome.code, 0, outcome)
        return programs.json_lines(outcome.out)

    def test_the_certificate_says_whose_crashes_they_are(self):
        self.start_server()
        device = self.device("host-without-a-name", named=False)
        self.put(device)
        device.start()
        device.wait_empty()
        self.assertEqual([each["device"] for each in self.command("list")], ["edge-1"])
        self.assertEqual(account(self.server), [1, 1, 0, 0, 0])

    def test_who_names_another_is_refused_and_keeps_its_crash(self):
        self.start_server()
        device = self.device("edge-2")
        self.put(device)
        device.start()
        until(lambda: device.status()["last_error"], "it is refused", 40, every=0.3)
        status = device.status()
        self.assertIn("edge-1", status["last_error"])
        self.assertEqual((status["spool"]["entries"], status["refused"], status["lost"]), (1, {}, {}))
        self.assertEqual(self.command("list"), [])
        until(lambda: metric(self.server, "corefleet_ingest_refused_total", reason="wrong_device") >= 1,
              "the refusal is counted", 15)
        offered, *parts = account(self.server)
        self.assertEqual(offered, sum(parts))

    def test_the_log_first_and_the_rest_when_the_rule_is_gone(self):
        self.start_server()
        self.use('rule { name: "logs" log_only { ask_again_seconds: 1 } }', count=1)
        device = self.device()
        self.put(device)
        device.start()
        until(lambda: device.status()["uploads"].get("stored_in_part"), "the log is stored", 60, every=0.3)
        part = until(lambda: self.command("list"), "it is listed", 20)[0]
        self.assertEqual((part["terms"]["want"], part["terms"]["rule"]), ("LOG_ONLY", "logs"))
        self.assertLess(int(part["here_bytes"]), int(part["raw_bytes"]))
        waiting = device.status()["crashes"]
        self.assertEqual([each["log_sent"] for each in waiting], [True], "the rest is kept")
        self.use("")
        device.wait_empty(seconds=120)
        whole = self.command("list")
        self.assertEqual([each["id"] for each in whole], [part["id"]])
        self.assertEqual((whole[0]["here_bytes"], whole[0]["revision"]), (whole[0]["raw_bytes"], 1))
        self.assertEqual(account(self.server), [1, 1, 0, 0, 0])

    def test_servers_that_are_down_and_come_back_elsewhere(self):
        self.start_server()
        closed, later = free_address(), free_address()
        device = self.device(servers=[closed, self.server.addresses["ingest"], later], upload='bytes_per_second: "4M"')
        folder = device.crashes / "big"
        folder.mkdir()
        (folder / "md_KELF1.BIN").write_bytes(os.urandom(16 << 20))
        device.start()
        until(lambda: metric(self.server, "corefleet_chunks_received_total") > 60, "part of it is there", 60)
        before = metric(self.server, "corefleet_chunks_received_total")
        self.server.stop()
        self.server.addresses["ingest"] = later
        self.server.start()
        device.wait_empty(seconds=90)
        chunks = before + metric(self.server, "corefleet_chunks_received_total")
        self.assertLess(chunks, 256 * 1.2, "it went on where it was")
        self.assertEqual(len(self.command("list")), 1)
        self.assertEqual(account(self.server), [1, 1, 0, 0, 0])

    def test_a_delay_is_kept(self):
        self.start_server()
        self.use("kill_switch: true kill_switch_delay_seconds: 8", switch=1)
        device = self.device()
        self.put(device)
        device.start()
        until(lambda: metric(self.server, "corefleet_ingest_refused_total", reason="kill_switch") == 1,
              "it is refused", 40)
        refused = time.monotonic() - 1  # the account is at most a second and a scrape behind
        self.use("")
        status = until(lambda: device.status()["waiting_for"] == "server" and device.status(), "it waits", 5)
        self.assertTrue(1 <= status["server_wait_seconds"] <= 14, status)
        self.assertEqual(status["spool"]["entries"], 1)
        device.wait_empty(seconds=60)
        stored = time.monotonic()
        self.assertGreater(stored - refused, 6, "8 s, less what the account is behind")
        self.assertEqual(account(self.server)[:3], [2, 1, 1], "it asked once, and once after the delay")


class Strangers(unittest.TestCase):
    """`status` for whom the spool is not."""

    def run_as_nobody(self, *command):
        return programs.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *command)

    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "only root can be somebody else")
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-strangers-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.root, True)
        self.root.chmod(0o755)
        # The build's folder may be closed to others.
        self.program = self.root / "corefleet-collector"
        shutil.copy(programs.COLLECTOR, self.program)
        self.program.chmod(0o755)
        self.device = Device(self.root, "edge-1", "127.0.0.1:1")
        self.addCleanup(self.device.kill)
        self.device.root.chmod(0o755)
        corpus.write_folder(corpus.case("a47-null-oops").regions(), self.device.crashes, "memory")
        self.device.start()
        until(lambda: self.device.status()["spool"]["entries"] == 1, "it is spooled", 40, every=0.3)

    def test_a_stranger_is_told_that_it_may_not_and_nothing_else(self):
        for state in ("running", "stopped"):
            with self.subTest(state):
                for flags in ([], ["--json"]):
                    told = self.run_as_nobody(self.program, "status", "--config", self.device.config, *flags)
                    self.assertNotEqual(told.code, 0, told)
                    self.assertEqual(told.out, b"")
                    self.assertIn(str(self.device.root / "state"), told.error)
                    self.assertRegex(told.error.lower(), r"permission denied|may not")
            self.device.stop()

    def test_a_spool_that_one_may_list_and_not_read_is_not_called_empty(self):
        for folder in ("state", "state/spool"):
            (self.device.root / folder).chmod(0o755)
        told = self.run_as_nobody(self.program, "status", "--config", self.device.config)
        self.assertNotEqual(told.code, 0, told)
        self.assertEqual(told.out, b"")
        self.assertIn("state/spool: ", told.error)
        self.assertIn("ermission denied", told.error)

    def test_a_configuration_that_one_may_not_read(self):
        self.device.config.chmod(0o600)
        told = self.run_as_nobody(self.program, "status", "--config", self.device.config)
        self.assertNotEqual(told.code, 0, told)
        self.assertIn(str(self.device.config), told.error)


if __name__ == "__main__":
    unittest.main()
