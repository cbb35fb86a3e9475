"""The default export opens in the tools of the trade, at least wherever the plain concatenation does.

Run as a program, it prints the table of docs/judges.md: what each judge says to each core, in both forms.
"""

import atexit
import functools
import pathlib
import shutil
import sys
import tempfile
import unittest
from concurrent import futures

from tests.support import corpus, judges
from tests.support.server import Server

JUDGES = ("gdb", "drgn", "drgn dmesg", "vmcore-dmesg", "crash")


def verdict(judge, case, core):
    """"right", or why not: "refused: ..." in the tool's own words, "wrong: ..." when it opened and read wrongly."""
    try:
        return _VERDICTS[judge](case, core)
    except judges.Refused as refusal:
        return f"refused: {refusal}"


def _gdb(case, core):
    banner, release = judges.gdb(case, core)
    kernel = case.expected["kernel"]
    return _compare((banner, release), (kernel["banner"].rstrip("\n"), kernel["release"]))


def _drgn(case, core):
    found = judges.drgn(case, core)
    want = case.expected
    return _compare((found["release"], found["version"], found["taint"]),
                    (want["kernel"]["release"], want["kernel"]["version"], want["taint"]["mask"]))


def _drgn_dmesg(case, core):
    found = judges.drgn(case, core)
    if "dmesg" not in found:
        raise judges.Refused(found["dmesg_error"])
    return _compare(judges.plain(found["dmesg"]), judges.plain(case.dmesg))


def _vmcore_dmesg(case, core):
    return _compare(judges.vmcore_dmesg(core), judges.with_vmcore_dmesg_habits(case.records))


def _crash(case, core):
    return _compare(judges.plain(judges.crash(case, core)), judges.plain(case.dmesg))


_VERDICTS = {"gdb": _gdb, "drgn": _drgn, "drgn dmesg": _drgn_dmesg, "vmcore-dmesg": _vmcore_dmesg, "crash": _crash}


def _compare(got, want):
    return "right" if got == want else f"wrong: {str(got)[:80]!r}"


@functools.lru_cache(maxsize=None)
def cores():
    """{(case, form): path} of every crash in the forms "core" and "concat", as the server exports them."""
    scratch = tempfile.mkdtemp(prefix="corefleet-judges-")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    paths = {}
    with Server() as server:
        for case in corpus.cases():
            folder = corpus.write_folder(case.regions(), scratch, case.name)
            crash = server.upload(folder)[0]["id"]
            for form in ("core", "concat"):
                paths[case.name, form] = pathlib.Path(scratch) / f"{case.name}.{form}"
                server.ok("fetch", crash, "--as", form, "-o", paths[case.name, form])
            corpus.vmlinux(case.expected["kernel"]["release"])
    return paths


def ask(questions):
    """{question: verdict} for questions (case name, judge, form); two at a time, as a judge takes seconds."""
    with futures.ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda q: verdict(q[1], corpus.case(q[0]), cores()[q[0], q[2]]), questions)
        return dict(zip(questions, answers))


@functools.lru_cache(maxsize=None)
def verdicts(every=False):
    """{(case, judge, form): verdict}. The concatenation is asked about only where our form is not right, as nothing can
    be better than right; or in every cell, for the table."""
    cells = [(case.name, judge) for case in corpus.cases() for judge in JUDGES]
    found = ask([(*cell, "core") for cell in cells])
    found.update(ask([(*cell, "concat") for cell in cells if every or found[*cell, "core"] != "right"]))
    return found


# One with crash's three extra regions, and one for arm64: every judge opens both when they are whole.
DAMAGED = ("a47-sysrq-nokaslr", "d53-null-nokaslr")
# Eight bytes near the front that no judge needs: by hand, everything behind them moves.
LOST = "md_Ktotalram4.BIN"


@functools.lru_cache(maxsize=None)
def damaged_verdicts():
    """{(case, judge, form): verdict} after one small region was lost; "concat" is what `cat` makes of the files left."""
    with tempfile.TemporaryDirectory(prefix="corefleet-judges-") as scratch, Server() as server:
        answers = {}
        for case in map(corpus.case, DAMAGED):
            left = {name: data for name, data in case.regions().items() if name != LOST}
            crash = server.upload(corpus.write_folder(left, scratch, case.name))[0]["id"]
            cores = {form: pathlib.Path(scratch) / f"{case.name}.{form}" for form in ("core", "concat")}
            server.ok("fetch", crash, "-o", cores["core"])
            order = [region["file"] for region in sorted(case.truth["regions"], key=lambda region: region["id"])]
            cores["concat"].write_bytes(b"".join(left[name] for name in order if name in left))
            for judge in JUDGES:
                for form, core in cores.items():
                    answers[case.name, judge, form] = verdict(judge, case, core)
        return answers


class DamagedSet(unittest.TestCase):
    """Where a file is missing our core still opens, and the concatenation does not."""

    def test_every_judge_opens_ours(self):
        for name in DAMAGED:
            for judge in JUDGES:
                self.assertEqual(damaged_verdicts()[name, judge, "core"], "right", (name, judge))

    def test_none_reads_the_concatenation_right(self):
        for name in DAMAGED:
            for judge in JUDGES:
                self.assertNotEqual(damaged_verdicts()[name, judge, "concat"], "right", (name, judge))


class Judges(unittest.TestCase):
    """One test for each case and judge."""

    def check(self, name, judge):
        ours = verdicts()[name, judge, "core"]
        plain = verdicts().get((name, judge, "concat"), ours)
        self.assertFalse(ours.startswith("wrong") and not plain.startswith("wrong"), f"core: {ours}; concat: {plain}")
        if plain == "right":
            self.assertEqual(ours, "right")

    def check_opens(self, name, judge):
        self.assertEqual(verdicts()[name, judge, "core"], "right")


def _add_tests():
    for name in corpus.names():
        for judge in JUDGES:
            # gdb and drgn open every core; the others at least where the concatenation opens.
            check = "check_opens" if judge in ("gdb", "drgn") else "check"

            def test(self, name=name, judge=judge, check=check):
                getattr(self, check)(name, judge)
            setattr(Judges, f"test_{name}_{judge}".replace("-", "_").replace(" ", "_"), test)


_add_tests()


def print_table():
    print("| case | judge | `core` | `concat` |\n| --- | --- | --- | --- |")
    for name in corpus.names():
        for judge in JUDGES:
            print(f"| {name} | {judge} | {verdicts(True)[name, judge, 'core']} | {verdicts(True)[name, judge, 'concat']} |")
    for (name, judge, form), answer in damaged_verdicts().items():
        print(f"| {name} without {LOST} | {judge} | {form} | {answer} |")


if __name__ == "__main__":
    if "--table" in sys.argv:
        print_table()
    else:
        unittest.main()
