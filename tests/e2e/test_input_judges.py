"""The same machine's memory, in whatever file it arrives, opens in the tools of the trade.

Run as a program, it prints the table of inputs and judges of docs/judges.md.
"""

import functools
import pathlib
import sys
import tempfile
import unittest
from concurrent import futures

from tests.e2e.test_judges import JUDGES, verdict
from tests.support import corpus, leavings
from tests.support.server import Server

# Every judge opens the core of this one; and of this one, another machine's, in the form whose core is remade.
CASE, ARM = "a47-sysrq-nokaslr", "d53-null-nokaslr"
# Eight bytes that no judge asks for.
LOST = ("Ktotalram",)
# What reads a region set in makedumpfile's format. That format has no virtual addresses: crash computes them, drgn walks
# page tables, and those are not in a region set; gdb and vmcore-dmesg read only ELF.
OF_COMPRESSED = ("crash",)


def inputs(case):
    """{name: files} of everything that holds a region set."""
    regions = leavings.memory_of(case)
    return {
        "folder": case.regions(),
        "folder, its header lost": {name: data for name, data in case.with_table().items() if "KELF" not in name},
        "folder, a region lost": {name: data for name, data in case.regions().items() if LOST[0] not in name},
        "Raw_Dmp! container": {"rawdump.img": leavings.raw_dump(regions)},
        "AIC100 dump": {"dump.bin": leavings.qaic(regions)},
        "qdl's minidump.elf": {"minidump.elf": leavings.qdl_core(case)},
        "qdl's minidump.elf, a region lost": {"minidump.elf": leavings.qdl_core(case, without=LOST)},
    }


def dumps(case, core):
    """{name: files} of what kdump would write of the same memory."""
    return {"vmcore": {"vmcore": core}, "flattened vmcore": {"vmcore.flat": leavings.flattened(core)},
            "compressed dump": {"dump": leavings.compressed_dump(case)[0]}}


@functools.lru_cache(maxsize=None)
def verdicts():
    """{(case, input, form, judge): verdict}; form is "core", or "kdump" in which every set can be had, too."""
    with tempfile.TemporaryDirectory(prefix="corefleet-judges-") as scratch, Server() as server:
        made = {}

        def fetch(case, name, files, form):
            folder = corpus.write_folder(files, scratch, f"{case.name}-{len(made)}")
            if len(files) == 1:
                folder = folder / next(iter(files))
            crash = server.upload(folder)[0]["id"]
            made[case.name, name, form] = pathlib.Path(scratch) / f"{len(made)}.{form}"
            server.ok("fetch", crash, "--as", form, "-o", made[case.name, name, form])

        case, arm = corpus.case(CASE), corpus.case(ARM)
        for name, files in inputs(case).items():
            fetch(case, name, files, "core")
        for name, files in dumps(case, made[CASE, "folder", "core"].read_bytes()).items():
            fetch(case, name, files, "kdump" if name == "compressed dump" else "core")
        fetch(case, "folder", case.regions(), "kdump")
        fetch(arm, "Raw_Dmp! container", inputs(arm)["Raw_Dmp! container"], "core")
        fetch(arm, "folder", arm.regions(), "kdump")
        questions = [(*key, judge) for key in made for judge in JUDGES]
        for name in {CASE, ARM}:
            corpus.vmlinux(corpus.case(name).expected["kernel"]["release"])
        with futures.ThreadPoolExecutor(2) as pool:
            answers = pool.map(lambda q: verdict(q[3], corpus.case(q[0]), made[q[:3]]), questions)
            return dict(zip(questions, answers))


class InputJudges(unittest.TestCase):
    def test_every_judge_reads_every_core_right(self):
        for (case, name, form, judge), answer in verdicts().items():
            if form == "core":
                self.assertEqual(answer, "right", (case, name, judge))

    def test_compressed_dumps_open_where_compressed_dumps_do(self):
        seen = {key: answer for key, answer in verdicts().items() if key[2] == "kdump"}
        self.assertGreaterEqual(len(seen), 3 * len(JUDGES))
        for (case, name, _, judge), answer in seen.items():
            if judge in OF_COMPRESSED:
                self.assertEqual(answer, "right", (case, name, judge))
            self.assertFalse(answer.startswith("wrong"), (case, name, judge, answer))


def print_table():
    rows = {}
    for (case, name, form, judge), answer in verdicts().items():
        rows.setdefault((corpus.case(case).expected["arch"], name, form), {})[judge] = answer
    print(f"| machine | input | form | {' | '.join(JUDGES)} |\n|{' --- |' * (3 + len(JUDGES))}")
    for key, row in rows.items():
        print(f"| {' | '.join(key)} | {' | '.join(row[judge] for judge in JUDGES)} |")


if __name__ == "__main__":
    if "--table" in sys.argv:
        print_table()
    else:
        unittest.main()
