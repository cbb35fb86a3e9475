"""Crashes that never were go the whole way: corefleet simulate writes them, the collector takes them for real, and the
server finds what the truth says."""

import json
import pathlib
import tempfile
import unittest

from tests.support import programs
from tests.support.server import Server

# What is simulated: the options after -o. Each is sent once, by the collector.
COMBINATIONS = {
    "arm64 oops, series v1": ["--kernel", "6.12.0", "--crash", "oops"],
    "x86-64 soft lockup, series v2": ["--arch", "x86_64", "--kernel", "6.1.0", "--source", "meminspect-v2",
                                      "--crash", "soft-lockup", "--cpus", "12"],
    "series v3, 16k pages, silence": ["--source", "meminspect-v3", "--page-size", "16k", "--crash", "hang"],
    "before the ring": ["--kernel", "5.4.0", "--crash", "bug"],
    "a Raw_Dmp! partition": ["--source", "rawdump", "--kernel", "6.6.0", "--crash", "panic"],
    "what edl leaves": ["--source", "edl", "--crash", "warning", "--arch", "x86_64"],
    "what qdl leaves": ["--source", "qdl", "--crash", "hung-task"],
    "a vmcore": ["--source", "vmcore", "--crash", "oom", "--arch", "x86_64"],
    "a flattened vmcore": ["--source", "vmcore-flat", "--crash", "sysrq"],
    "EFI variables": ["--source", "pstore-efi", "--crash", "oops", "--arch", "x86_64"],
    "ramoops": ["--source", "pstore-ramoops", "--crash", "panic"],
}
# Only what is in every crash's log is asked of these.
LOG_ONLY = {"EFI variables", "ramoops"}
DUMPS = {"a vmcore", "a flattened vmcore"}


class Simulated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="corefleet-simulate-")
        cls.addClassCleanup(scratch.cleanup)
        cls.root = pathlib.Path(scratch.name)
        cls.server = Server.of_class(cls)
        cls.sent = {name: cls.send(number, options) for number, (name, options) in enumerate(COMBINATIONS.items())}

    @classmethod
    def simulate(cls, *options):
        """The folders that were written, with what must be found in each."""
        done = programs.run(programs.COREFLEET, "simulate", "--truth", "--json", *options)
        if done.code != 0:
            raise AssertionError(repr(done))
        folders = [pathlib.Path(line["path"]) for line in programs.json_lines(done.out)]
        return [(folder, json.loads(folder.with_name(folder.name + ".truth.json").read_text())) for folder in folders]

    @classmethod
    def collect(cls, folder):
        """Sends a folder with the collector; the new crash, analysed."""
        before = set(cls.server.ids())
        sent = programs.run(programs.COLLECTOR, "--once", f"--ingest={cls.server.addresses['ingest']}", "--device=model",
                            folder, env=cls.server.environment())
        if sent.code != 0:
            raise AssertionError(repr(sent))
        new = set(cls.server.ids()) - before
        if len(new) != 1:
            raise AssertionError(f"{len(new)} crashes came of {folder}: {sent!r}")
        return cls.server.analysed(new.pop())

    @classmethod
    def send(cls, number, options):
        [(folder, truth)] = cls.simulate("-o", cls.root / str(number), "--seed", str(100 + number), *options)
        return cls.collect(folder), truth

    def check_log(self, info, truth):
        self.assertEqual(self.server.ok("log", info["id"], "--raw").decode(), truth["log"])
        self.assertEqual(info.get("panic", ""), truth["panic_reason"])

    def check_kernel(self, info, truth):
        self.assertEqual(info["kernel"]["release"], truth["kernel"]["release"])
        self.assertEqual(info["kernel"]["version"], truth["kernel"]["version"])
        self.assertEqual(info["kernel"].get("build_id", ""), truth["kernel"]["build_id"])
        self.assertEqual(info["kernel"]["arch"], truth["kernel"]["arch"])

    def check_machine(self, info, truth):
        self.assertEqual(info["taint"]["mask"], truth["taint"]["mask"])
        self.assertEqual(info["cpus"]["possible"], list(range(truth["cpus"])))
        self.assertAlmostEqual(info["uptime_seconds"], truth["uptime_seconds"], delta=0.001)

    def check(self, name):
        info, truth = self.sent[name]
        self.check_log(info, truth)
        if name in LOG_ONLY:
            self.assertEqual(info["state"], "LOG_ONLY", info.get("defects"))
            return
        self.assertEqual(info["state"], "COMPLETE", info.get("defects"))
        self.check_kernel(info, truth)
        if name not in DUMPS:
            self.check_machine(info, truth)

    def test_damage_is_named_and_the_log_stays(self):
        found = self.simulate("-o", self.root / "damaged", "--kernel", "6.6.0", "--count", "3", "--damage",
                              "missing=Kinit_mm,truncated=Kmem_sect,duplicate,stale-load,notes")
        for folder, truth in found:
            info = self.collect(folder)
            self.assertEqual(info["state"], "PARTIAL")
            self.assertLessEqual(set(truth["defects"]), {defect["code"] for defect in info["defects"]})
            self.check_log(info, truth)

    def test_check_takes_it_without_a_server(self):
        [(folder, truth)] = self.simulate("-o", self.root / "checked")
        [info] = programs.json_lines(programs.run(programs.COREFLEET, "check", "--json", folder).out)
        self.assertEqual(info["kernel"]["release"], truth["kernel"]["release"])
        self.assertEqual(info["state"], "COMPLETE")

    def test_the_same_seed_is_the_same_crash(self):
        [(first, _)] = self.simulate("-o", self.root / "first", "--seed", "9")
        [(second, _)] = self.simulate("-o", self.root / "second", "--seed", "9")
        files = sorted(path.name for path in first.iterdir())
        self.assertEqual(files, sorted(path.name for path in second.iterdir()))
        for name in files:
            self.assertEqual((first / name).read_bytes(), (second / name).read_bytes(), name)

    def test_nothing_is_overwritten(self):
        self.simulate("-o", self.root / "once")
        again = programs.run(programs.COREFLEET, "simulate", "-o", self.root / "once")
        self.assertEqual(again.code, 1)


def _add_tests():
    for name in COMBINATIONS:
        def test(self, name=name):
            self.check(name)
        setattr(Simulated, "test_" + "".join(c if c.isalnum() else "_" for c in name.lower()), test)


_add_tests()

if __name__ == "__main__":
    unittest.main()
