"""The device agent against a real server: found, spooled, sent, through outages, kill -9, budgets and withdrawn consent."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from tests.support import corpus, programs
from tests.support.agent import Device
from tests.support.server import Server, until

RSS_BUDGET_KB = 20 * 1024
BIG = 200 << 20


def metric(server, name):
    """The sum of a metric of the server's over its labels."""
    page = programs.run("/usr/bin/python3", "-c", "import sys,urllib.request as u\n"
                        "sys.stdout.write(u.urlopen(sys.argv[1]).read().decode())",
                        f"http://{server.addresses['http']}/metrics").text
    return sum(float(line.split()[-1]) for line in page.splitlines() if re.match(rf"{name}[ {{]", line))


class Agent(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.case = corpus.case("a47-null-oops")

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="corefleet-agent-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.server = Server().start()
        self.addCleanup(self.server.close)

    def device(self, name="edge-1", extra=""):
        device = Device(self.root, name, self.server.addresses["ingest"], extra)
        self.addCleanup(device.kill)
        return device

    def put_noise(self, device, size, name="big"):
        """A crash that does not compress."""
        folder = device.crashes / name
        folder.mkdir()
        with open(folder / "md_KELF1.BIN", "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        return folder

    def test_found_spooled_sent(self):
        device = self.device()
        corpus.write_folder(self.case.with_table(), device.crashes, "memory")
        planned = device.run("agent", "--dry-run")
        self.assertIn("would spool", planned.text, planned)
        self.assertFalse((device.root / "state").exists(), "a dry run leaves nothing")
        device.start()
        status = device.wait_empty()
        self.assertEqual(status["collected"], 1)
        crash = self.server.ids()[0]
        info = self.server.analysed(crash)
        self.assertEqual((info["device"], info["state"]), ("edge-1", "COMPLETE"))
        self.assertEqual(self.server.ok("fetch", crash, "--as", "concat", "-o", "-"), self.case.core)
        page = (device.root / "corefleet.prom").read_text()
        self.assertIn('corefleet_collector_uploads_total{outcome="stored"} 1\n', page)
        self.assertLess(device.stop(), 3)
        self.assertEqual(device.process.returncode, 0)
        device.start()  # the folder is still there, and is not sent again
        time.sleep(4)
        self.assertEqual(device.status()["spool"]["entries"], 0)
        self.assertEqual(len(self.server.ids()), 1)

    def test_a_server_that_comes_later(self):
        self.server.kill()
        device = self.device().start()
        corpus.write_folder(self.case.regions(), device.crashes, "memory")
        until(lambda: device.status()["last_error"], "it says that nobody answers", 40, every=0.3)
        self.assertEqual(device.status()["spool"]["entries"], 1)
        self.server.start()
        device.wait_empty()
        self.assertEqual(len(self.server.ids()), 1)

    def test_kill_in_mid_upload_costs_few_bytes(self):
        device = self.device()
        device.configure(self.server.addresses["ingest"], upload='metered: ALLOW bytes_per_second: "8M"')
        self.put_noise(device, 48 << 20)
        device.start()
        until(lambda: metric(self.server, "corefleet_chunks_received_total") > 150, "part of it is there", 60)
        device.kill()
        device.start()
        device.wait_empty(seconds=90)
        chunks = metric(self.server, "corefleet_chunks_received_total")
        print(f"\n768 chunks, killed once: {chunks:.0f} travelled")
        self.assertLess(chunks, 768 * 1.1)
        self.assertEqual(len(self.server.ids()), 1)

    def test_stops_quickly_and_goes_on(self):
        device = self.device()
        device.configure(self.server.addresses["ingest"], upload='bytes_per_second: "4M"')
        self.put_noise(device, 24 << 20)
        device.start()
        until(lambda: metric(self.server, "corefleet_chunks_received_total") > 60, "part of it is there", 60)
        self.assertLess(device.stop(), 4)
        self.assertEqual(device.process.returncode, 0, device.log.read_text()[-2000:])
        device.start()
        device.wait_empty(seconds=60)
        self.assertLess(metric(self.server, "corefleet_chunks_received_total"), 384 * 1.1)

    def test_consent_withdrawn(self):
        consent = self.root / "consent"
        device = self.device(extra=f'consent_file: "{consent}"')
        corpus.write_folder(self.case.regions(), device.crashes, "memory")
        device.start()
        time.sleep(5)
        self.assertEqual(device.status()["collected"], 0, "nothing is collected without consent")
        self.assertEqual(device.status()["waiting_for"], "consent")
        self.server.kill()
        consent.touch()
        until(lambda: device.status()["spool"]["entries"] == 1, "it is spooled", 40, every=0.3)
        consent.unlink()
        until(lambda: device.status()["lost"].get("consent") == 1, "it is dropped and counted", 40, every=0.3)
        self.server.start()
        self.assertEqual(self.server.ids(), [])

    def test_a_budget_survives_a_restart(self):
        device = self.device()
        device.configure(self.server.addresses["ingest"], upload='bytes_per_day: "2M" strict_budget: true')
        self.put_noise(device, 8 << 20)
        device.start()
        until(lambda: device.status()["waiting_for"] == "budget", "the day's bytes are spent", 40, every=0.3)
        sent = device.status()["bytes_sent"]
        self.assertLess(sent, 3 << 20)
        device.kill()
        device.start()
        time.sleep(4)
        self.assertEqual(device.status()["waiting_for"], "budget")
        self.assertLess(device.status()["bytes_sent"], 4 << 20)
        self.assertEqual(self.server.ids(), [])

    def test_a_device_without_a_network(self):
        far = self.device("far-away")
        far.configure("127.0.0.1:1")
        corpus.write_folder(self.case.regions(), far.crashes, "memory")
        far.start()
        until(lambda: far.status()["spool"]["entries"] == 1, "it is spooled", 40, every=0.3)
        refused = far.run("export", "--to", self.root)
        self.assertNotEqual(refused.code, 0, "the agent has the spool")
        far.stop()
        stick = self.root / "stick"
        stick.mkdir()
        exported = far.run("export", "--to", stick, "--remove")
        self.assertEqual(exported.code, 0, exported)
        self.assertEqual(far.status()["spool"]["entries"], 0)
        lab = self.device("lab-host")
        files = sorted(stick.iterdir())
        self.assertEqual(len(files), 1)
        imported = lab.run("import", *files)
        self.assertEqual(imported.code, 0, imported)
        lab.start()
        lab.wait_empty()
        self.assertEqual(self.server.info(self.server.ids()[0])["device"], "far-away")

    def test_a_new_configuration_on_a_signal(self):
        device = self.device()
        device.configure("127.0.0.1:1")
        corpus.write_folder(self.case.regions(), device.crashes, "memory")
        device.start()
        until(lambda: device.status()["spool"]["entries"] == 1, "it is spooled", 40, every=0.3)
        device.config.write_text("server: 'nonsense'\n")
        device.process.send_signal(signal.SIGHUP)
        until(lambda: "stays in use" in device.log.read_text(), "a wrong file changes nothing", 20)
        device.configure(self.server.addresses["ingest"])
        device.process.send_signal(signal.SIGHUP)
        device.wait_empty()

    def test_what_the_service_manager_is_told(self):
        """sd_notify's protocol, spoken with this test in systemd's place: the unit is Type=notify with a watchdog."""
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(told.close)
        told.bind(str(self.root / "notify"))
        told.settimeout(20)
        device = self.device().start(NOTIFY_SOCKET=str(self.root / "notify"), WATCHDOG_USEC="2000000")

        def wait_for(word, count=1):
            lines = []
            while sum(line == word for line in lines) < count:
                lines += told.recv(4096).decode().splitlines()
            return lines

        self.assertNotIn("WATCHDOG=1", wait_for("READY=1")[:1], "alive before it is ready")
        self.assertTrue(any(line.startswith("STATUS=0 crashes") for line in wait_for("WATCHDOG=1", count=3)))
        device.process.send_signal(signal.SIGSTOP)  # hangs: what the watchdog is there for
        told.settimeout(4)
        with self.assertRaises(TimeoutError):
            for _ in range(50):  # what was under way before it
                told.recv(4096)
        device.process.send_signal(signal.SIGCONT)
        told.settimeout(20)
        wait_for("WATCHDOG=1")
        device.process.terminate()
        wait_for("STOPPING=1")
        self.assertEqual(device.process.wait(30), 0)

    def test_memory_does_not_grow_with_the_crash(self):
        device = self.device()
        device.start()
        self.put_noise(device, BIG)
        device.wait_empty(seconds=180)
        peak = device.peak_kb()
        size = pathlib.Path(self.root / "stripped")
        subprocess.run(["strip", "-o", size, programs.COLLECTOR], check=True)
        print(f"\nagent with a {BIG >> 20} MiB crash: peak {peak} kB; program, stripped: {size.stat().st_size} bytes")
        self.assertLess(peak, RSS_BUDGET_KB)

    def test_check_config(self):
        device = self.device()
        checked = programs.run(programs.COLLECTOR, "check-config", device.config)
        self.assertEqual(checked.code, 0, checked)
        self.assertIn('bytes_per_day: "24M"', checked.text)
        device.config.write_text('server: "fleet.example:7443"\nspool { max_bytes: "1" }\n')
        wrong = programs.run(programs.COLLECTOR, "check-config", device.config)
        self.assertEqual(wrong.code, 2)
        self.assertIn("line 2: spool.max_bytes", wrong.error)


class Units(unittest.TestCase):
    """What systemd says of the services."""

    SCORES = {"corefleet-collector.service": 2.5, "corefleetd.service": 2.0}

    def test_systemd_takes_them(self):
        analyze = programs.tool("systemd-analyze")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-units-"))
        self.addCleanup(shutil.rmtree, folder, True)
        for name, most in self.SCORES.items():
            with self.subTest(name):
                text = (programs.REPOSITORY / "deploy/systemd" / name).read_text()
                unit = folder / name  # verify wants the program to be there
                unit.write_text(re.sub(r"/usr/bin/corefleet[a-z-]*", "/bin/true", text))
                verified = programs.run(analyze, "verify", "--man=no", unit)
                self.assertEqual((verified.code, verified.error), (0, ""), verified)
                scored = programs.run(analyze, "security", "--offline=true", "--no-pager", unit)
                score = float(re.search(r"exposure level for \S+: ([0-9.]+)", scored.text)[1])
                self.assertLessEqual(score, most, f"{name}: exposure {score}")


if __name__ == "__main__":
    unittest.main()
