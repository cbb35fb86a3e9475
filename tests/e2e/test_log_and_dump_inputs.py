"""Logs and kdump's files that a crashed device can leave, made of real crashes, go in through the command line and the
collector alike, and come out with the answers that their bytes allow; and what cannot be read is kept."""

import pathlib
import shutil
import subprocess
import unittest

from tests.support import corpus, leavings
from tests.support.inputs import Inputs


class Logs(Inputs):
    def check_text(self, info, source):
        self.assertEqual((info["state"], info["source"]), ("LOG_ONLY", source), info.get("defects"))

    def test_efi_records(self):
        info = self.send(self.write_all("pstore", leavings.efi_records(self.case.dmesg)), source="pstore")
        self.check_text(info, "pstore")
        self.check_log(info)
        self.assertEqual(info["kernel"]["release"], self.case.expected["kernel"]["release"])

    def test_efi_records_that_the_kernel_could_not_decompress(self):
        for name, pack in (("deflate", leavings.raw_deflate), ("zstd", leavings.zstd)):
            with self.subTest(name):
                files = leavings.efi_records(self.case.dmesg, pack=pack)
                info = self.send(self.write_all(name, files), source="pstore")
                self.check_text(info, "pstore")
                self.check_log(info)
                self.check_raw(info, files)

    def test_efi_records_with_a_part_missing(self):
        files = leavings.efi_records(self.case.dmesg, missing=(2,))
        info = self.send(self.write_all("pstore", files), source="pstore")
        self.check_text(info, "pstore")
        self.assertIn("RECORD_PART_MISSING", self.codes(info))
        parts = leavings.parts_of(leavings.printed(self.case.dmesg), 1024)
        lost = {line.removeprefix(b"<6>") for line in parts[1].splitlines()}
        got = self.server.ok("log", info["id"], "--raw").splitlines()
        want = [line for line in self.case.dmesg.splitlines() if line not in lost]
        self.assertEqual([line for line in got if line in set(want)], want)

    def test_two_deaths_in_one_pstore(self):
        other = corpus.case("b53-oom")
        files = {**leavings.efi_records(self.case.dmesg), **leavings.efi_records(other.dmesg, seconds=1778000000)}
        sent = self.server.upload(self.write_all("pstore", files), device=self._testMethodName)
        self.assertEqual([one["outcome"] for one in sent], ["STORED", "STORED"])
        releases = {self.server.analysed(one["id"])["kernel"]["release"] for one in sent}
        self.assertEqual(releases, {case.expected["kernel"]["release"] for case in (self.case, other)})

    def test_systemds_archive(self):
        files = leavings.efi_records(self.case.dmesg)
        self.write_all("archive/1778241600/001", {**files, "dmesg.txt": self.case.dmesg})
        info = self.send(self.folder / "archive", source="pstore")
        self.check_log(info)
        self.check_raw(info, files)

    def test_ramoops_records(self):
        console = self.case.dmesg[:5000]
        files = leavings.ramoops_records(self.case.dmesg, console)
        info = self.send(self.write_all("pstore", files), source="pstore")
        self.check_text(info, "pstore")
        self.check_log(info)

    def test_ramoops_area(self):
        area = leavings.ramoops_area(self.case.dmesg, self.case.dmesg)
        info = self.send(self.write("ramoops.bin", area), source="ramoops")
        self.check_text(info, "ramoops")
        self.check_log(info)
        self.check_raw(info, {"ramoops.bin": area})

    def test_log_as_text(self):
        info = self.send(self.write("dmesg.txt", self.case.dmesg), source="log")
        self.check_text(info, "log")
        self.check_log(info)
        self.assertEqual(info["kernel"]["release"], self.case.expected["kernel"]["release"])


class Dumps(Inputs):
    """Files that kdump would leave of the same machine."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = corpus.write_folder(cls.case.with_table(), cls.scratch.name, "source-of-the-core")
        crash = cls.server.upload(folder, device="source")[0]["id"]
        cls.core = cls.server.ok("fetch", crash, "-o", "-")

    def check_dump(self, info, source):
        self.assertEqual(info["source"], source)
        self.assertEqual(info["kernel"]["release"], self.case.expected["kernel"]["release"])
        self.assertEqual(info["kernel"]["build_id"], self.case.expected["kernel"]["build_id"])
        self.check_log(info)

    def test_vmcore(self):
        info = self.send(self.write("vmcore", self.core), source="vmcore")
        self.check_dump(info, "vmcore")
        self.check_raw(info, {"vmcore": self.core})

    def test_flattened_vmcore(self):
        flat = leavings.flattened(self.core)
        info = self.send(self.write("vmcore.flat", flat), source="vmcore")
        self.check_dump(info, "vmcore")
        self.check_raw(info, {"vmcore.flat": flat})

    def test_flattened_vmcore_whose_start_comes_last(self):
        flat = leavings.flattened(self.core, start_last=True)
        info = self.send(self.write("vmcore.flat", flat))
        self.assertEqual(info["kernel"]["build_id"], self.case.expected["kernel"]["build_id"])
        self.check_log(info)

    def test_vmcore_cut_short(self):
        info = self.send(self.write("vmcore", self.core[:len(self.core) - 40000]), source="vmcore")
        self.assertEqual(info["state"], "PARTIAL", info.get("defects"))
        self.assertEqual(info["kernel"]["release"], self.case.expected["kernel"]["release"])

    def test_compressed(self):
        info = self.send(self.write("dump", leavings.compressed_dump(self.case)[0]))
        self.check_dump(info, "kdump")

    def test_compressed_and_flattened(self):
        info = self.send(self.write("dump", leavings.flattened(leavings.compressed_dump(self.case)[0])))
        self.check_dump(info, "kdump")

    def test_split(self):
        parts = leavings.compressed_dump(self.case, parts=3)
        files = {f"vmcore-{number}": part for number, part in enumerate(parts, 1)}
        info = self.send(self.write_all("split", files))
        self.check_dump(info, "kdump")
        self.check_raw(info, files)

    def test_var_crash(self):
        other = {"vmcore": self.core, "vmcore-dmesg.txt": self.case.dmesg, "kexec-dmesg.log": b"[    0.000000] other\n" * 9}
        self.write_all("crash/127.0.0.1-2026-05-08-12:00:00", other)
        info = self.send(self.folder / "crash")
        self.check_dump(info, "vmcore")
        del other["kexec-dmesg.log"]
        self.check_raw(info, other)


class WhatCannotBeRead(Inputs):
    """Bytes are kept, and it is said why there is nothing more."""

    def check_kept(self, info, name, data):
        self.check_raw(info, {name: data})
        self.assertEqual(info["state"], "UNREADABLE", info.get("defects"))

    def test_garbage(self):
        data = leavings.noise(300000)
        path = self.write("core.weird", data)
        info = self.send(path, source="opaque")
        self.check_kept(info, "core.weird", data)
        self.assertIn("UNRECOGNISED", self.codes(info))
        again = self.server.cli("upload", "--device", self._testMethodName, path)
        self.assertIn("of no known kind", again.error)

    def test_32_bit_core(self):
        info = self.send(self.write("vmcore", leavings.elf32()))
        self.check_kept(info, "vmcore", leavings.elf32())
        self.assertIn("32-bit", self.details(info, "UNSUPPORTED"))

    def test_big_endian_core(self):
        info = self.send(self.write("vmcore", leavings.big_endian_core()))
        self.check_kept(info, "vmcore", leavings.big_endian_core())
        self.assertIn("big-endian", self.details(info, "UNSUPPORTED"))

    def test_a_folder_of_nothing(self):
        self.write("in/readme.txt", b"nothing here")
        outcome = self.server.cli("upload", self.folder / "in")
        self.assertEqual(outcome.code, 1)
        for word in ("md_KELF1.BIN", "Raw_Dmp!", "pstore", "1 other files", "name yourself"):
            self.assertIn(word, outcome.error)
        self.assertEqual(self.collect(self.folder / "in").code, 1)

    def test_a_pipe(self):
        pipe = self.folder / "pipe"
        subprocess.run(["mkfifo", pipe], check=True)
        outcome = self.server.cli("upload", pipe, timeout=20)
        self.assertEqual(outcome.code, 1)
        self.assertIn("is a pipe", outcome.error)

    def test_one_folder_of_everything(self):
        """Each file there is a crash of its own; what is none is left."""
        regions = leavings.memory_of(self.case)
        self.write("all/rawdump.img", leavings.raw_dump(regions))
        self.write("all/card.bin", leavings.qaic(regions))
        self.write("all/serial.log", self.case.dmesg)
        self.write("all/readme.txt", b"nothing here")
        self.write("all/ramoops.bin", leavings.ramoops_area(self.case.dmesg, b""))
        self.write_all("all/memory", self.case.regions())
        shutil.copytree(self.folder / "all/memory", self.folder / "all/board-2/memory")
        sent = self.server.upload(self.folder / "all", device=self._testMethodName)
        paths = [pathlib.Path(one["path"]).relative_to(self.folder / "all").as_posix() for one in sent]
        self.assertEqual(sorted(paths), ["board-2/memory", "card.bin", "memory", "ramoops.bin", "rawdump.img", "serial.log"])
        ids = {path: one["id"] for path, one in zip(paths, sent)}
        self.assertEqual(ids["memory"], ids["board-2/memory"])
        self.assertEqual(len(set(ids.values())), 5)


if __name__ == "__main__":
    unittest.main()
