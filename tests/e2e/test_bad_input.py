"""What is wrong gets a clear word or a named defect, nothing crashes, and what was good before is still there.

What needs a hostile client that speaks gRPC (a wrong digest, a chunk for no session, an oversized message) is tested in
server/rpc, against the same service over loopback.
"""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from tests.support import corpus, postgres, programs
from tests.support.server import Server, until

SAMPLE = "a47-null-oops"
HEADER = "md_KELF1.BIN"


class BadSets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="corefleet-bad-")
        cls.server = Server.of_class(cls)
        cls.case = corpus.case(SAMPLE)
        good = corpus.write_folder(cls.case.regions(), cls.scratch.name, "good")
        cls.good = cls.server.upload(good)[0]["id"]

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def tearDown(self):
        """Whatever came in: the server lives, and the crash that was there is whole."""
        self.assertIsNone(self.server.process.poll(), self.server.log()[-2000:])
        self.assertEqual(self.server.ok("fetch", self.good, "--as", "concat", "-o", "-"), self.case.core)

    def folder(self, files):
        parent = tempfile.mkdtemp(dir=self.scratch.name)
        return corpus.write_folder(files, parent, "set")

    def accepted(self, files):
        sent = self.server.upload(self.folder(files))[0]
        self.assertEqual(sent["outcome"], "STORED", sent)
        return self.server.analysed(sent["id"])

    def codes(self, info):
        return {defect["code"] for defect in info.get("defects", [])}

    def with_header(self, header):
        return {**self.case.regions(), HEADER: header}

    def test_a_folder_without_regions(self):
        folder = self.folder({"notes.txt": b"hello"})
        outcome = self.server.cli("upload", folder)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn(str(folder), outcome.text + outcome.error)

    def test_no_such_folder(self):
        outcome = self.server.cli("upload", "/nowhere/at-all")
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("/nowhere/at-all", outcome.text + outcome.error)

    def test_a_good_and_a_bad_folder(self):
        """One bad path does not keep the others back, and shows in the exit code."""
        files, _ = corpus.variant(self.case, 4711)
        outcome = self.server.cli("upload", "--json", self.folder({"x": b""}), self.folder(files))
        self.assertEqual(outcome.code, 1, outcome)
        outcomes = sorted(one["outcome"] for one in programs.json_lines(outcome.out))
        self.assertEqual(outcomes, ["REFUSED", "STORED"])

    def test_empty_region_files(self):
        info = self.accepted({name: b"" for name in self.case.regions()})
        self.assertEqual(info["state"], "UNREADABLE")

    def test_a_truncated_elf_header(self):
        header = self.case.files[HEADER]
        for size in (1, 4, 16, 63, 64, 100, 64 + 56 * 3 + 5, len(header) // 2, len(header) - 1):
            with self.subTest(size):
                info = self.accepted(self.with_header(header[:size]))
                self.assertTrue(self.codes(info) & {"HEADER_DAMAGED", "HEADER_MISSING", "REGION_TRUNCATED",
                                                    "NOTES_DAMAGED"}, info.get("defects"))

    def program_header(self, header, index, field, value):
        """`header` with one 64-bit field of one program header set. e_phoff is at 32; p_offset, p_vaddr, p_paddr,
        p_filesz and p_memsz at 8, 16, 24, 32 and 40 of 56 bytes."""
        at = struct.unpack_from("<Q", header, 32)[0] + 56 * index
        at += {"offset": 8, "vaddr": 16, "paddr": 24, "filesz": 32, "memsz": 40}[field]
        return header[:at] + struct.pack("<Q", value) + header[at + 8:]

    def test_64_bit_offsets_that_overflow(self):
        header = self.case.files[HEADER]
        for field in ("offset", "vaddr", "paddr", "filesz", "memsz"):
            for value in (2**64 - 1, 2**64 - 4096, 2**63, 2**62):
                with self.subTest(field=field, value=hex(value)):
                    self.accepted(self.with_header(self.program_header(header, 2, field, value)))

    def test_an_overflowing_header_is_a_named_defect(self):
        header = self.program_header(self.case.files[HEADER], 2, "paddr", 2**64 - 2)
        info = self.accepted(self.with_header(header))
        self.assertIn("ADDRESS_OVERFLOW", self.codes(info))
        self.assertEqual(self.server.ok("log", info["id"], "--raw"), self.case.dmesg)

    def test_a_program_header_table_that_leaves_the_file(self):
        header = self.case.files[HEADER]
        for table in (len(header) - 1, 2**64 - 8, 2**63):
            with self.subTest(hex(table)):
                self.accepted(self.with_header(header[:32] + struct.pack("<Q", table) + header[40:]))

    def test_every_byte_0xff(self):
        info = self.accepted({name: b"\xff" * len(data) for name, data in self.case.regions().items()})
        self.assertEqual(info["state"], "UNREADABLE")

    def test_hostile_file_names(self):
        names = [b"md_K\x1b[2J7.BIN", b"md_K\nforged=line8.BIN", b"md_K\xff\xfe9.BIN", b"md_K$(touch x)10.BIN",
                 b"md_K%s%n11.BIN", b"md_K99999999999999999999.BIN", b"md_K" + b"a" * 240 + b"12.BIN", b"md_K..13.BIN"]
        folder = self.folder(self.case.regions())
        for number, name in enumerate(names):
            with open(os.path.join(os.fsencode(folder), name), "wb") as file:
                file.write(bytes([number]) * (number + 100))
        sent = self.server.upload(folder)[0]
        info = self.server.analysed(sent["id"])
        self.assertEqual(self.server.ok("log", sent["id"], "--raw"), self.case.dmesg)
        self.assertEqual(len(info["regions"]), len(self.case.regions()) + len(names))
        for output in (self.server.ok("info", sent["id"]), self.server.ok("list"),
                       self.server.ok("info", sent["id"], "--json")):
            self.assertNotIn(b"\x1b", output)
            self.assertNotIn(b"\xff", output)
            output.decode("utf-8")
        self.assertNotIn("\nforged=line", self.server.log())

    def test_links_out_of_the_folder_are_not_followed(self):
        folder = self.folder(self.case.regions())
        (folder / "md_Ksecret99.BIN").symlink_to("/etc/passwd")
        info = self.server.analysed(self.server.upload(folder)[0]["id"])
        self.assertFalse([r for r in info["regions"] if r.get("file_name") == "md_Ksecret99.BIN"])


class ExitCodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server.of_class(cls)

    def test_usage(self):
        for arguments in (["no-such-verb"], ["list", "--no-such-flag"], ["info"], ["list", "--taint", "?!"],
                          ["list", "-n", "minus"]):
            with self.subTest(arguments):
                self.assertEqual(self.server.cli(*arguments).code, 2, arguments)

    def test_not_found(self):
        for arguments in (["info", "abcdef0123"], ["log", "abcdef0123"], ["fetch", "abcdef0123", "-o", "-"],
                          ["info", "@latest"], ["cat", "abcdef0123", "x"]):
            with self.subTest(arguments):
                outcome = self.server.cli(*arguments)
                self.assertEqual(outcome.code, 1, outcome)
                self.assertTrue(outcome.error.strip())
                self.assertEqual(outcome.out, b"")

    def test_unreachable(self):
        outcome = programs.run(programs.COREFLEET, "--server", "127.0.0.1:1", "list")
        self.assertEqual(outcome.code, 3, outcome)
        self.assertIn("127.0.0.1:1", outcome.error)

    def test_timed_out(self):
        began = time.monotonic()
        outcome = self.server.cli("wait", "--taint", "W", "--timeout", "1s")
        self.assertEqual(outcome.code, 124, outcome)
        self.assertLess(time.monotonic() - began, 60)

    def test_help_teaches(self):
        for arguments in (["help"], ["--help"], ["help", "list"], ["upload", "--help"]):
            with self.subTest(arguments):
                outcome = self.server.cli(*arguments)
                self.assertEqual(outcome.code, 0, outcome)
                self.assertGreater(len(outcome.text), 200)


class Starting(unittest.TestCase):
    def test_a_second_server_on_the_same_data(self):
        with Server() as server:
            second = programs.run(programs.COREFLEETD, f"--data_dir={server.data_dir}", "--ingest_address=127.0.0.1:0",
                                  "--archive_address=127.0.0.1:0", "--http_address=127.0.0.1:0", timeout=30)
            self.assertNotEqual(second.code, 0)
            self.assertIn(str(server.data_dir), second.error)
            self.assertEqual(server.ids(), [])

    def test_not_on_loopback_without_tls(self):
        with tempfile.TemporaryDirectory() as data:
            for flag in ("ingest", "archive", "http"):
                refused = programs.run(programs.COREFLEETD, f"--data_dir={data}/d", f"--{flag}_address=0.0.0.0:0",
                                       timeout=30)
                self.assertNotEqual(refused.code, 0, flag)
                self.assertIn("--insecure", refused.error)

    def test_a_port_that_is_taken(self):
        with socket.socket() as taken, tempfile.TemporaryDirectory() as data:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for flag in ("ingest", "archive", "http"):
                others = [f"--{name}_address=127.0.0.1:0" for name in ("ingest", "archive", "http") if name != flag]
                refused = programs.run(programs.COREFLEETD, f"--data_dir={data}/d", f"--{flag}_address={address}",
                                       *others, timeout=60)
                self.assertNotEqual(refused.code, 0, flag)
                self.assertIn(address, refused.error)


class DatabaseDown(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="corefleet-down-")
        self.addCleanup(self.scratch.cleanup)
        self.case = corpus.case(SAMPLE)

    def http(self, server, path):
        outcome = programs.run("/usr/bin/python3", "-c",
                               "import sys,urllib.request as u,urllib.error as e\n"
                               "try: print(u.urlopen(sys.argv[1], timeout=20).status)\n"
                               "except e.HTTPError as x: print(x.code)",
                               f"http://{server.addresses['http']}{path}")
        return outcome.text.strip()

    def test_an_operators_database_that_goes_and_comes(self):
        cluster = postgres.Cluster()
        self.addCleanup(cluster.close)
        server = Server(flags=[f"--database={cluster.uri}"])
        self.addCleanup(server.close)
        server.start()
        first, core = corpus.variant(self.case, 1)
        kept = server.upload(corpus.write_folder(first, self.scratch.name, "first"))[0]["id"]
        self.assertEqual(self.http(server, "/readyz"), "200")

        cluster.stop()
        # Readiness is asked once a second; the answer is that old.
        until(lambda: self.http(server, "/readyz") == "503", "no longer ready", 10)
        self.assertEqual(self.http(server, "/healthz"), "200")
        self.assertEqual(self.http(server, "/metrics"), "200")
        listed = server.cli("list", timeout=60)
        self.assertEqual(listed.code, 3, listed)
        second, _ = corpus.variant(self.case, 2)
        folder = corpus.write_folder(second, self.scratch.name, "second")
        sender = subprocess.Popen([programs.COREFLEET, "upload", "--json", folder], env=server.environment(),
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(2)

        cluster.start()
        out, _ = sender.communicate(timeout=120)
        if sender.returncode != 0:  # it gave up, which it may: a word, and an exit code that says try again
            self.assertEqual(sender.returncode, 3)
            out = server.ok("upload", "--json", folder)
        new = programs.json_lines(out)[0]["id"]
        until(lambda: self.http(server, "/readyz") == "200", "ready again")
        self.assertEqual(sorted(server.ids()), sorted([kept, new]))
        self.assertEqual(server.ok("fetch", kept, "--as", "concat", "-o", "-"), core)

    def test_the_embedded_database_is_killed(self):
        """It is started again, and nothing is lost."""
        with Server() as server:
            files, core = corpus.variant(self.case, 3)
            kept = server.upload(corpus.write_folder(files, self.scratch.name, "kept"))[0]["id"]
            pids = [int(pid.read_text().split()[0]) for pid in pathlib.Path(server.data_dir).rglob("postmaster.pid")]
            self.assertEqual(len(pids), 1)
            os.kill(pids[0], signal.SIGKILL)
            until(lambda: server.cli("list").code == 0 and server.ids() == [kept], "the database is back", 60)
            self.assertEqual(server.ok("fetch", kept, "--as", "concat", "-o", "-"), core)
            again, _ = corpus.variant(self.case, 4)
            self.assertEqual(server.upload(corpus.write_folder(again, self.scratch.name, "n"))[0]["outcome"], "STORED")

    def test_a_stop_leaves_no_process_behind(self):
        server = Server().start()
        self.addCleanup(server.close)
        pids = [int(pid.read_text().split()[0]) for pid in pathlib.Path(server.data_dir).rglob("postmaster.pid")]
        self.assertEqual(server.stop(), 0)
        until(lambda: not os.path.exists(f"/proc/{pids[0]}"), "the database ended too")


if __name__ == "__main__":
    unittest.main()
