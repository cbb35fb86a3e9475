"""A set that lost files, or bytes of them, or its names, gives every answer that its bytes allow."""

import random
import tempfile
import unittest

from tests.support import corpus
from tests.support.server import Server

# A static log ring, an enlarged one (its three parts lie among the unnamed files), and arm64 with more CPUs.
SAMPLES = ("a47-null-oops", "c612-biglog-numa", "d53-bug-work-8cpu")


class Damage(unittest.TestCase):
    """Many variants of a set go into one server in few uploads; then each is looked at."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="corefleet-damage-")
        cls.server = Server.of_class(cls)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def send(self, variants):
        """Uploads {name: files}; gives back {name: info}."""
        parent = tempfile.mkdtemp(dir=self.scratch.name)
        folders = {str(corpus.write_folder(files, parent, name)): name for name, files in variants.items()}
        sent = self.server.upload(*folders, device=self._testMethodName)
        self.assertEqual(len(sent), len(variants))
        self.assertEqual({one["outcome"] for one in sent}, {"STORED"})
        return {folders[one["path"]]: self.server.analysed(one["id"]) for one in sent}

    def check_regions_keep_their_bytes(self, info, files, among=None):
        """Every file that came reads back as it was."""
        for name in among or files:
            got = self.server.ok("cat", info["id"], name)
            self.assertEqual(corpus.sha256(got), corpus.sha256(files[name]), name)

    def digests(self, info):
        return {region["file_name"]: region["sha256"] for region in info["regions"] if region.get("file_name")}

    def check_digests(self, info, files):
        got = self.digests(info)
        for name, data in files.items():
            if name != corpus.TABLE:
                self.assertEqual(got.get(name), corpus.sha256(data), name)

    def codes(self, info):
        return {defect["code"] for defect in info.get("defects", [])}


class Permutations(Damage):
    """Names and ids are hints: the core comes out the same whatever the files are called and however they are ordered."""

    def renamed(self, case, seed):
        """The same bytes, the names of those whose size tells them apart dealt out anew."""
        sizes = [len(data) for data in case.regions().values()]
        names = sorted(name for name, data in case.regions().items() if sizes.count(len(data)) == 1)
        self.assertGreater(len(names), 5)
        others = names[:]
        random.Random(seed).shuffle(others)
        return {**case.regions(), **{other: case.files[name] for name, other in zip(names, others)}}

    def reordered(self, case, seed):
        """The same files; the order of their names is another one, because upper case comes first."""
        pick = random.Random(seed)
        return {(name.replace("md_", "MD_") if pick.random() < 0.5 else name): data
                for name, data in case.regions().items()}

    def check(self, make):
        for name in SAMPLES:
            case = corpus.case(name)
            variants = {f"{name}-{make.__name__}-{seed}": make(case, seed) for seed in range(4)}
            infos = self.send(variants)
            for variant, info in infos.items():
                with self.subTest(variant):
                    self.check_digests(info, variants[variant])
                    self.assertEqual(info["taint"]["mask"], str(case.expected["taint"]["mask"]))
                    self.assertEqual(self.server.ok("log", info["id"], "--raw"), case.dmesg)
                    self.assertEqual(self.server.ok("fetch", info["id"], "--as", "concat", "-o", "-"), case.core)

    def test_files_in_another_order(self):
        self.check(self.reordered)

    def test_files_under_each_others_names(self):
        self.check(self.renamed)


class OneFileMissing(Damage):
    def check(self, case, files_of):
        files = files_of(case)
        variants = {f"without-{lost}": {name: data for name, data in files.items() if name != lost}
                    for lost in case.regions()}
        infos = self.send(variants)
        for lost in case.regions():
            with self.subTest(lost):
                self.check_one(case, infos[f"without-{lost}"], variants[f"without-{lost}"], lost)

    def check_one(self, case, info, files, lost):
        self.check_digests(info, files)
        self.assertTrue(info.get("defects"), "the defect is named")
        self.assertNotEqual(info["state"], "COMPLETE")
        if lost.startswith("md_KELF"):
            self.assertIn("HEADER_MISSING", self.codes(info))
        elif not lost.startswith("md_Kvmcorein"):
            self.assertIn("REGION_MISSING", self.codes(info))
        if not lost.startswith("md_KELF"):
            self.check_concat(case, info, lost)
        self.check_log(case, info, lost)

    def check_concat(self, case, info, lost):
        """What is missing is zeros in its place; all else is where it belongs."""
        truth = next(region for region in case.truth["regions"] if region["file"] == lost)
        start, end = truth["offset"], truth["offset"] + truth["size"]
        want = case.core[:start] + bytes(end - start) + case.core[end:]
        got = self.server.ok("fetch", info["id"], "--as", "concat", "-o", "-")
        self.assertEqual(len(got), len(want))
        wrong = [n for n, (a, b) in enumerate(zip(got, want)) if a != b]
        self.assertFalse(wrong, f"first at {wrong[:1]}, {len(wrong)} bytes")

    def check_log(self, case, info, lost):
        what = next(region["what"] for region in case.truth["regions"] if region["file"] == lost)
        needed = ("ELF", "prb", "printk", "log", "vmcoreinfo_data", "desc", "info", "data")
        if not any(word in what for word in needed):
            self.assertEqual(self.server.ok("log", info["id"], "--raw"), case.dmesg, f"{lost}: {what}")

    def test_static_log(self):
        self.check(corpus.case("a47-null-oops"), lambda case: case.regions())

    def test_static_log_with_the_address_table(self):
        self.check(corpus.case("a47-null-oops"), lambda case: case.with_table())

    def test_enlarged_log(self):
        self.check(corpus.case("c612-biglog-numa"), lambda case: case.regions())

    def test_arm64_with_the_address_table(self):
        self.check(corpus.case("d53-bug-work-8cpu"), lambda case: case.with_table())

    def test_the_header_is_missing_and_the_table_is_there(self):
        """The table gives every region its place: the log and the facts come out as if nothing were missing."""
        for name in SAMPLES:
            case = corpus.case(name)
            files = {key: data for key, data in case.with_table().items() if key != "md_KELF1.BIN"}
            info = self.send({f"{name}-headless": files})[f"{name}-headless"]
            with self.subTest(name):
                self.assertIn("HEADER_MISSING", self.codes(info))
                self.assertEqual(info["kernel"]["release"], case.expected["kernel"]["release"])
                self.assertEqual(self.server.ok("log", info["id"], "--raw"), case.dmesg)


class CutShort(Damage):
    def test_every_file_cut_in_the_middle(self):
        for name in SAMPLES[:2]:
            case = corpus.case(name)
            variants = {}
            for cut, data in case.regions().items():
                if len(data) > 1:
                    variants[f"cut-{cut}"] = {**case.regions(), cut: data[: len(data) // 2]}
            for variant, info in self.send(variants).items():
                cut = variant.removeprefix("cut-")
                with self.subTest(variant):
                    self.check_digests(info, variants[variant])
                    self.assertTrue(info.get("defects"))
                    if not cut.startswith("md_KELF"):
                        named = [d for d in info["defects"] if d["code"] in ("REGION_TRUNCATED", "VMCOREINFO_DAMAGED",
                                                                             "REGION_MISSING", "REGION_AMBIGUOUS")]
                        self.assertTrue(named, info["defects"])

    def test_log_text_cut_gives_the_lines_that_are_left(self):
        case = corpus.case("a47-null-oops")
        text = next(n for n in case.regions() if n.startswith("md_Kprb_data"))
        # This ring is less than half full: the first cut loses nothing.
        for left in (len(case.files[text]) // 2, 16384, 4096):
            files = {**case.regions(), text: case.files[text][:left]}
            info = self.send({"cut": files})["cut"]
            lines = self.server.ok("log", info["id"], "--raw").splitlines()
            rest = iter(case.dmesg.splitlines())
            self.assertGreater(len(lines), 20)
            for line in lines:  # the one that the cut went through is a beginning
                self.assertTrue(any(want == line or line is lines[-1] and want.startswith(line) for want in rest), line)
            whole = len(lines) == len(case.dmesg.splitlines())
            self.assertEqual(whole, left > 16384)
            self.assertEqual(int(info["log"]["text_lost"]) == 0, whole)


class Overlong(Damage):
    def test_more_bytes_than_the_header_says(self):
        case = corpus.case("a47-null-oops")
        files = {**case.regions(), "md_Kjiffies10.BIN": case.files["md_Kjiffies10.BIN"] + b"\xffgarbage"}
        info = self.send({"long": files})["long"]
        self.check_digests(info, files)
        self.assertTrue(self.codes(info) & {"REGION_OVERLONG", "REGION_UNPLACED"}, info.get("defects"))
        self.assertEqual(self.server.ok("log", info["id"], "--raw"), case.dmesg)


del Damage  # a base, not a suite


if __name__ == "__main__":
    unittest.main()
