"""What tests of inputs share: files in a folder, both ways to send them, and what must come out of them."""

import io
import pathlib
import tarfile
import tempfile
import unittest

from tests.support import corpus, programs
from tests.support.server import Server

# x86_64, with the static log ring and records that print in one line.
PLAIN = "a47-sysrq-nokaslr"


class Inputs(unittest.TestCase):
    """One server for all inputs of a class; each test's crashes are a device's of their own."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="corefleet-inputs-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.server = Server.of_class(cls)
        cls.case = corpus.case(PLAIN)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.scratch.name))

    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def write_all(self, name, files):
        for file_name, data in files.items():
            self.write(f"{name}/{file_name}", data)
        return self.folder / name

    def collect(self, *arguments):
        """The collector's own run, once."""
        return programs.run(programs.COLLECTOR, "--once", f"--ingest={self.server.addresses['ingest']}",
                            f"--device={self._testMethodName}", *arguments, env=self.server.environment())

    def send(self, path, *flags, source=None):
        """Sends it with the command line, and once more with the collector, for whom it is the same crash."""
        outcome = self.server.cli("upload", "--json", "--wait", "--device", self._testMethodName, *flags, path)
        self.assertEqual(outcome.code, 0, outcome)
        sent = programs.json_lines(outcome.out)
        self.assertEqual([one["outcome"] for one in sent], ["STORED"], sent)
        before = len(self.server.ids())
        again = self.collect(*[flag for flag in flags], path)
        self.assertEqual(again.code, 0, again)
        self.assertIn("ALREADY_STORED", again.error)
        self.assertEqual(len(self.server.ids()), before)
        info = self.server.analysed(sent[0]["id"])
        if source:
            self.assertEqual(info["source"], source)
            self.check_offline(path, info)
        return info

    def check_offline(self, path, info):
        """`check` says the same without a server, and what it is in words."""
        offline = self.server.json("check", path)
        self.assertEqual(len(offline), 1)
        for field in ("source", "state"):
            self.assertEqual(offline[0].get(field), info.get(field), field)
        self.assertEqual([defect["code"] for defect in offline[0].get("defects", [])],
                         [defect["code"] for defect in info.get("defects", [])])
        self.assertIn(self.folder.name, self.server.ok("check", path).splitlines()[0].decode())

    def codes(self, info):
        return {defect["code"] for defect in info.get("defects", [])}

    def details(self, info, code):
        return " ".join(defect.get("detail", "") for defect in info.get("defects", []) if defect["code"] == code)

    def check_log(self, info, log=None):
        self.assertEqual(self.server.ok("log", info["id"], "--raw"), self.case.dmesg if log is None else log)

    def check_whole(self, info, case=None):
        """The core, the log and the kernel come out as if the regions had come as files."""
        case = case or self.case
        self.assertEqual(info["state"], "COMPLETE", info.get("defects"))
        self.assertEqual(info["kernel"]["build_id"], case.expected["kernel"]["build_id"])
        self.assertEqual(info["taint"]["mask"], str(case.expected["taint"]["mask"]))
        self.assertEqual(self.server.ok("fetch", info["id"], "--as", "concat", "-o", "-"), case.core)
        self.check_log(info, case.dmesg)

    def check_places(self, info, regions):
        """Every region is where the device said it was, with its own bytes."""
        placed = {}
        for region in info["regions"]:
            if region.get("sha256") and region.get("paddr") is not None:
                placed.setdefault(int(region["paddr"]), set()).add(region["sha256"])
        for memory in regions:
            self.assertIn(corpus.sha256(memory.data), placed.get(memory.paddr, set()), memory.file)

    def check_raw(self, info, files):
        raw = self.server.ok("fetch", info["id"], "--as", "raw", "-o", "-")
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            got = {pathlib.PurePosixPath(member.name).name: archive.extractfile(member).read()
                   for member in archive.getmembers() if member.isfile()}
        self.assertEqual({name: corpus.sha256(data) for name, data in got.items()},
                         {name: corpus.sha256(data) for name, data in files.items()})
