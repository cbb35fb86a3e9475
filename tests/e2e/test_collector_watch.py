"""The collector beside a tool that downloads memory: it waits until a set is whole and quiet, sends it once, and goes on
where it was after every break."""

import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from tests.support import corpus, programs
from tests.support.server import Server, until


class Watching(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="corefleet-watch-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.watched = self.root / "downloads"
        self.watched.mkdir()
        self.log = self.root / "collector.log"
        self.case = corpus.case("a47-null-oops")
        self.server = Server().start()
        self.addCleanup(self.server.close)
        self.process = None
        self.addCleanup(self.stop_collector)

    def command(self, *flags):
        return [str(part) for part in (programs.COLLECTOR, f"--ingest={self.server.addresses['ingest']}",
                                       "--device=bench-3", f"--state_dir={self.root / 'state'}", *flags, self.watched)]

    def start_collector(self, quiet="1s", patience="60s"):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command("--watch", f"--settle={quiet}", f"--patience={patience}"),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop_collector(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def wait_for(self, count, seconds=40):
        until(lambda: len(self.server.ids()) >= count or self.process.poll() is not None,
              f"{count} crashes", seconds)
        self.assertIsNone(self.process.poll(), self.log.read_text()[-2000:])
        return self.server.ids()

    def check_whole(self, crash, core):
        self.assertEqual(self.server.analysed(crash)["state"], "COMPLETE")
        self.assertEqual(self.server.ok("fetch", crash, "--as", "concat", "-o", "-"), core)

    def test_a_folder_that_fills_slowly(self):
        self.start_collector(quiet="1s")
        folder = self.watched / "memory"
        folder.mkdir()
        for number, (name, data) in enumerate(sorted(self.case.with_table().items())):
            with open(folder / name, "wb") as file:  # in two halves, as a slow link would
                file.write(data[: len(data) // 2])
                file.flush()
                time.sleep(0.05)
                file.write(data[len(data) // 2:])
            if number == 20:
                time.sleep(3)  # quiet, and not complete: it has to wait
                self.assertEqual(self.server.ids(), [])
        crashes = self.wait_for(1)
        self.check_whole(crashes[0], self.case.core)
        time.sleep(2)
        self.assertEqual(self.server.ids(), crashes, "one set, one crash")

    def test_a_set_that_stays_incomplete_goes_after_a_while(self):
        self.start_collector(quiet="1s", patience="3s")
        files = {name: data for name, data in self.case.regions().items() if "tainted" not in name}
        corpus.write_folder(files, self.watched, "memory")
        crash = self.wait_for(1)[0]
        info = self.server.analysed(crash)
        self.assertEqual(info["state"], "PARTIAL")
        self.assertIn("REGION_MISSING", {defect["code"] for defect in info["defects"]})

    def test_a_restart_does_not_send_again(self):
        corpus.write_folder(self.case.regions(), self.watched, "first")
        self.start_collector()
        crashes = self.wait_for(1)
        begun = self.sessions_begun()
        self.stop_collector()
        self.start_collector()
        time.sleep(4)
        self.assertIsNone(self.process.poll())
        self.assertEqual(self.server.ids(), crashes)
        self.assertEqual(self.sessions_begun(), begun, "it did not even ask")

    def sessions_begun(self):
        page = programs.run("/usr/bin/python3", "-c", "import sys,urllib.request as u\n"
                            "sys.stdout.write(u.urlopen(sys.argv[1]).read().decode())",
                            f"http://{self.server.addresses['http']}/metrics").text
        return sum(float(line.split()[-1]) for line in page.splitlines()
                   if line.startswith("corefleet_sessions_begun_total"))

    def test_a_new_set_in_the_same_folder_is_a_new_crash(self):
        folder = corpus.write_folder(self.case.regions(), self.watched, "memory")
        self.start_collector()
        self.wait_for(1)
        shutil.rmtree(folder)
        files, core = corpus.variant(self.case, 77)
        corpus.write_folder(files, self.watched, "memory")
        crashes = self.wait_for(2)
        self.check_whole(crashes[0], core)

    def test_the_server_dies_in_between(self):
        self.start_collector()
        self.server.kill()
        cores = []
        for number in range(4):
            files, core = corpus.variant(self.case, number + 1)
            corpus.write_folder(files, self.watched, f"set-{number}")
            cores.append(core)
        time.sleep(3)
        self.server.start()
        time.sleep(0.7)
        self.server.kill()
        self.server.start()
        crashes = self.wait_for(4, 90)
        self.assertEqual(len(crashes), 4)
        fetched = sorted(self.server.ok("fetch", crash, "--as", "concat", "-o", "-") for crash in crashes)
        self.assertEqual(fetched, sorted(cores))

    def test_once_twice_is_one_crash(self):
        corpus.write_folder(self.case.with_table(), self.watched, "memory")
        for _ in range(2):
            sent = programs.run(*self.command("--once"))
            self.assertEqual(sent.code, 0, sent)
        self.assertEqual(len(self.server.ids()), 1)


if __name__ == "__main__":
    unittest.main()
