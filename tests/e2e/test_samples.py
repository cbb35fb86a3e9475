"""Every real crash of tests/corpus goes in through the real collector or the command line, and comes out right."""

import io
import json
import pathlib
import tarfile
import tempfile
import unittest

from tests.support import corpus, judges, programs
from tests.support.server import Server

RECORD_FIELDS = ("level", "facility", "flags", "caller", "subsystem", "device")


class EverySample:
    """What holds for a crash however it was sent; subclasses say how. `crash` is its id, filled once per case."""

    ids = {}

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="corefleet-samples-")
        cls.server = Server.of_class(cls)
        cls.ids = {case.name: cls.send(case) for case in corpus.cases()}

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def check_facts(self, case):
        info = self.server.info(self.ids[case.name])
        want = case.expected
        for field in ("release", "version", "build_id", "arch"):
            expected = want["arch"] if field == "arch" else want["kernel"][field]
            self.assertEqual(info["kernel"][field], expected, field)
        self.assertEqual(info["taint"]["mask"], str(want["taint"]["mask"]))
        self.assertEqual(info["taint"].get("letters", ""), "".join(want["taint"]["letters"]))
        self.assertAlmostEqual(info["uptime_seconds"], want["uptime_s"], delta=0.001)
        for field, cpus in want["cpus"].items():
            self.assertEqual(info["cpus"].get(field, []), cpus, field)
        # The panic's words are in the log's text alone.
        panic = "" if case.log_text_is_absent else want["crash"]["panic"] or ""
        self.assertEqual(info.get("panic", ""), panic)
        # A kernel that lost its log's text itself has lost something; every other sample is whole.
        self.assertEqual(info["state"], "PARTIAL" if case.log_text_is_absent else "COMPLETE", info.get("defects"))
        self.assertTrue(info["sources"]["kernel.release"])

    def check_regions(self, case):
        info = self.server.info(self.ids[case.name])
        digests = {region["file_name"]: region["sha256"] for region in info["regions"] if region.get("file_name")}
        for region in case.truth["regions"]:
            if region["file"] in case.files:
                self.assertEqual(digests.get(region["file"]), region["sha256"], region["file"])
                if region["vaddr"]:  # has a program header
                    placed = next(r for r in info["regions"] if r.get("file_name") == region["file"])
                    self.assertEqual(int(placed["paddr"]), int(region["paddr"], 16), region["file"])
        self.assertEqual(len([name for name in digests if name.startswith("md_")]), len(case.regions()))

    def check_raw_log(self, case):
        log = self.server.ok("log", self.ids[case.name], "--raw")
        if not case.log_text_is_absent:
            self.assertEqual(log, case.dmesg)
            return
        # The text is not in the core. What can be printed all the same is right and in order, the rest is counted.
        rest = iter(case.dmesg.splitlines())
        for line in log.splitlines():
            self.assertIn(line, rest)
        summary = self.server.info(self.ids[case.name])["log"]
        printed = {line[:14] for line in log.splitlines()}
        self.assertGreaterEqual(int(summary["text_lost"]), len(case.records) - len(log.splitlines()), printed)

    def check_records(self, case):
        got = self.server.json("log", self.ids[case.name])
        self.assertEqual(len(got), len(case.records))
        for record, want in zip(got, case.records):
            self.assertEqual(record.get("seq", "0"), str(want["seq"]))
            self.assertEqual(record.get("ts_nsec", "0"), str(want["ts_nsec"]))
            for field in RECORD_FIELDS:
                self.assertEqual(record.get(field, type(want[field])()), want[field], f"seq {want['seq']} {field}")
            if not case.log_text_is_absent:
                self.assertEqual(self.text_bytes(record), judges.text_bytes(want), want["seq"])

    @staticmethod
    def text_bytes(record):
        return judges.text_bytes({"text": record.get("text", "")})

    def check_concat(self, case):
        self.assertEqual(self.server.ok("fetch", self.ids[case.name], "--as", "concat", "-o", "-"), case.core)

    def check_raw(self, case):
        raw = self.server.ok("fetch", self.ids[case.name], "--as", "raw", "-o", "-")
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            got = {pathlib.PurePosixPath(member.name).name: archive.extractfile(member).read()
                   for member in archive.getmembers() if member.isfile()}
        self.assertEqual(got, self.files_of(case))

    def check_reads(self, case):
        """A region by name and id, and memory by address, give the region's own bytes."""
        crash = self.ids[case.name]
        region = next(r for r in case.truth["regions"] if (r["file"] or "").startswith("md_Kinit_uts"))
        data = case.files[region["file"]]
        self.assertEqual(self.server.ok("cat", crash, region["file"]), data)
        self.assertEqual(self.server.ok("cat", crash, str(region["id"])), data)
        self.assertEqual(self.server.ok("read", crash, region["vaddr"], "64", "--raw"), data[:64])
        self.assertEqual(self.server.ok("read", crash, region["paddr"], "64", "--physical", "--raw"), data[:64])


def _add_tests():
    for name in corpus.names():
        for check in ("facts", "regions", "raw_log", "records", "concat", "raw", "reads"):
            def test(self, name=name, check=check):
                getattr(self, f"check_{check}")(corpus.case(name))
            setattr(EverySample, f"test_{name.replace('-', '_')}_{check}", test)


_add_tests()


class FromTheCollectorWithAnAddressTable(EverySample, unittest.TestCase):
    @classmethod
    def send(cls, case):
        folder = corpus.write_folder(case.with_table(), cls.scratch.name, case.name)
        sent = programs.run(programs.COLLECTOR, "--once", f"--ingest={cls.server.addresses['ingest']}",
                            "--device=lab-7", folder,
                            env=cls.server.environment())
        if sent.code != 0:
            raise AssertionError(repr(sent))
        newest = cls.server.json("list", "-n", "1")[0]["id"]
        cls.server.analysed(newest)
        return newest

    @staticmethod
    def files_of(case):
        return case.with_table()


class FromTheCommandLineWithoutATable(EverySample, unittest.TestCase):
    @classmethod
    def send(cls, case):
        folder = corpus.write_folder(case.regions(), cls.scratch.name, case.name)
        sent = cls.server.upload(folder)[0]
        if sent["outcome"] != "STORED":
            raise AssertionError(json.dumps(sent))
        cls.server.analysed(sent["id"])
        return sent["id"]

    @staticmethod
    def files_of(case):
        return case.regions()

    def test_sent_again_it_is_the_same_crash(self):
        for name, crash in self.ids.items():
            again = self.server.upload(pathlib.Path(self.scratch.name) / name)[0]
            self.assertEqual((again["id"], again["outcome"]), (crash, "ALREADY_STORED"), name)
        self.assertEqual(sorted(self.server.ids()), sorted(self.ids.values()))

    def test_lists_by_build_and_taint(self):
        for case in corpus.cases():
            letters = "".join(case.expected["taint"]["letters"])
            filters = ["--taint", letters] if letters else ["--untainted"]
            found = self.server.json("list", "--build", case.expected["kernel"]["build_id"], *filters, "-n", "100")
            want = {self.ids[other.name] for other in corpus.cases()
                    if other.expected["kernel"]["build_id"] == case.expected["kernel"]["build_id"]
                    and (set(letters) <= set(other.expected["taint"]["letters"]) if letters
                         else not other.expected["taint"]["letters"])}
            self.assertEqual({crash["id"] for crash in found}, want, case.name)


if __name__ == "__main__":
    unittest.main()
