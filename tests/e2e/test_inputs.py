"""Everything that a crashed device can leave, made of real crashes, goes in through the command line and the collector
alike, and comes out with the answers that its bytes allow."""

import io
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from tests.support import corpus, leavings, programs
from tests.support.server import Server

# x86_64, and arm64 with more CPUs; both with the static log ring and records that print in one line.
PLAIN = "a47-sysrq-nokaslr"
ARM = "d53-null-nokaslr"


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


class Containers(Inputs):
    def test_raw_dump(self):
        dump = leavings.raw_dump(leavings.memory_of(self.case))
        info = self.send(self.write("rawdump.img", dump + bytes(100000)), source="rawdump")
        self.check_whole(info)
        self.check_raw(info, {"rawdump.img": dump})  # and not the rest of the partition

    def test_raw_dump_that_somebody_collected_before(self):
        regions = leavings.memory_of(self.case)
        first = self.send(self.write("rawdump.img", leavings.raw_dump(regions)), source="rawdump")
        for mark in (b"MiniDump", b"CopyDone", bytes(8)):
            path = self.write("rawdump.img", leavings.raw_dump(regions, mark=mark))
            outcome = self.server.cli("upload", "--json", "--device", self._testMethodName, path)
            sent = programs.json_lines(outcome.out)
            self.assertEqual([(one["id"], one["outcome"]) for one in sent], [(first["id"], "ALREADY_STORED")], mark)
            self.assertIn("collected before", outcome.error)

    def test_raw_dump_with_addresses_in_a_script(self):
        regions = leavings.memory_of(self.case)
        info = self.send(self.write("rawdump.img", leavings.raw_dump(regions, load_script=True)), source="rawdump")
        self.check_whole(info)
        self.check_places(info, [memory for memory in regions if memory.data])

    def test_raw_dump_for_which_there_was_no_room(self):
        regions = leavings.memory_of(self.case)
        written = next(number for number, memory in enumerate(regions) if "Kunknown41" in memory.file)
        info = self.send(self.write("rawdump.img", leavings.raw_dump(regions, written=written)), source="rawdump")
        self.assertEqual(info["state"], "PARTIAL")
        self.assertIn("INSUFFICIENT_STORAGE", self.codes(info))
        self.check_places(info, [memory for memory in regions[:written] if not memory.file.startswith("md_KELF")])
        self.check_log(info)

    def test_raw_dump_on_a_block_device(self):
        dump = leavings.raw_dump(leavings.memory_of(self.case))
        image = self.write("partition", dump.ljust(4 << 20, b"\0"))
        device, undo = self.loop_device(image)
        self.addCleanup(undo)
        info = self.send(device)
        self.check_whole(info)
        self.check_raw(info, {pathlib.Path(device).name: dump})
        empty, undo = self.loop_device(self.write("empty", bytes(1 << 20)))
        self.addCleanup(undo)
        if str(empty).startswith("/dev/"):
            nothing = self.collect(empty)
            self.assertEqual(nothing.code, 0, nothing)
            self.assertIn("no crash waits", nothing.error)
            self.assertEqual(self.server.cli("upload", empty).code, 1)

    @staticmethod
    def loop_device(image):
        """A block device over the file, or the file itself where nobody may make one."""
        made = subprocess.run(["/usr/sbin/losetup", "--find", "--show", "--read-only", image], capture_output=True,
                              text=True, check=False)
        if made.returncode != 0:
            return image, lambda: None
        device = made.stdout.strip()
        return device, lambda: subprocess.run(["/usr/sbin/losetup", "-d", device], check=False)

    def test_raw_dump_cut_short(self):
        dump = leavings.raw_dump(leavings.memory_of(self.case))
        info = self.send(self.write("rawdump.img", dump[:len(dump) - 5000]), source="rawdump")
        self.assertEqual(info["state"], "PARTIAL")
        self.check_log(info)

    def test_qaic(self):
        blob = leavings.qaic(leavings.memory_of(self.case))
        info = self.send(self.write("devcoredump.bin", blob), source="qaic")
        self.check_whole(info)
        self.check_raw(info, {"devcoredump.bin": blob})

    def test_qdls_core(self):
        core = leavings.qdl_core(self.case)
        self.assertEqual(core, self.case.core)  # what the writer must do when nothing is missing
        info = self.send(self.write("minidump.elf", core), source="meminspect")
        self.check_whole(info)

    def test_qdls_core_with_a_region_missing(self):
        info = self.send(self.write("minidump.elf", leavings.qdl_core(self.case, without=("tainted",))),
                         source="meminspect")
        self.assertEqual(info["state"], "PARTIAL")
        self.assertTrue({"REGIONS_SHIFTED", "REGION_MISSING"} <= self.codes(info), info["defects"])
        self.check_log(info)
        self.assertEqual(info["kernel"]["build_id"], self.case.expected["kernel"]["build_id"])
        self.assertEqual(info["cpus"].get("online", []), self.case.expected["cpus"]["online"])

    def test_co_processor_with_sections(self):
        regions = leavings.memory_of(self.case)[5:15]
        info = self.send(self.write("devcd1.elf", leavings.coprocessor(regions)), source="coprocessor")
        self.check_named(info, regions)

    def test_co_processor_with_loads(self):
        regions = leavings.memory_of(self.case)[5:15]
        info = self.send(self.write("devcd1.elf", leavings.coprocessor(regions, sections=False)), source="coprocessor")
        self.check_places(info, regions)

    def check_named(self, info, regions):
        self.check_places(info, regions)
        named = {region.get("name"): region.get("sha256") for region in info["regions"]}
        for memory in regions:
            stem = memory.file.rsplit(".", 1)[0]
            short = stem.removeprefix("md_").rstrip("0123456789")
            self.assertTrue({stem, stem.removeprefix("md_"), short} & named.keys(), (stem, list(named)))

    def test_a_devcoredump_folder(self):
        blob = leavings.qaic(leavings.memory_of(self.case))
        self.write("devcoredump/devcd1/data", blob)
        self.check_whole(self.send(self.folder / "devcoredump", source="qaic"))


class TablesBesideRegions(Inputs):
    """A set without its ELF header, whose addresses only a tool's list has."""

    def check_table(self, name, table, case=None):
        case = case or self.case
        files = {file: data for file, data in case.regions().items() if "KELF" not in file}
        info = self.send(self.write_all("set", {**files, name: table}), source="meminspect")
        self.assertEqual(info["state"], "PARTIAL")
        self.assertIn("HEADER_MISSING", self.codes(info))
        self.check_places(info, leavings.memory_of(case, without=("KELF",)))
        self.check_log(info, case.dmesg)
        self.check_raw(info, {**files, name: table})

    def test_sahara_table(self):
        self.check_table("table.bin", leavings.sahara64(leavings.memory_of(self.case)))

    def test_sahara_table_of_a_32_bit_device(self):
        self.check_table("table.bin", leavings.sahara32(leavings.memory_of(self.case)))

    def test_edls_log(self):
        self.check_table("edl.log", leavings.edl_log(leavings.memory_of(self.case)))

    def test_dump_info(self):
        self.check_table("dump_info.txt", leavings.dump_info(leavings.memory_of(self.case)))

    def test_load_script(self):
        self.check_table("load.cmm", leavings.load_cmm(leavings.memory_of(self.case)))

    def test_sahara_table_of_arm64(self):
        case = corpus.case(ARM)
        self.check_table("table.bin", leavings.sahara64(leavings.memory_of(case)), case)

    def test_every_table_at_once_changes_nothing(self):
        regions = leavings.memory_of(self.case)
        files = {**self.case.with_table(), "table.bin": leavings.sahara64(regions), "edl.log": leavings.edl_log(regions),
                 "dump_info.txt": leavings.dump_info(regions), "load.cmm": leavings.load_cmm(regions)}
        self.check_whole(self.send(self.write_all("set", files), source="meminspect"))

    def test_what_else_lies_in_such_a_folder_stays_there(self):
        info = self.send(self.write_all("set", self.case.files), source="meminspect")
        self.check_whole(info)
        self.check_raw(info, self.case.with_table())

    def test_files_that_a_list_names(self):
        regions = leavings.memory_of(self.case) + [leavings.Memory("OCIMEM.BIN", 0x14680000, leavings.noise(4096))]
        files = {**self.case.regions(), "OCIMEM.BIN": regions[-1].data, "dump_info.txt": leavings.dump_info(regions),
                 "notes.txt": b"not taken"}
        info = self.send(self.write_all("set", files))
        del files["notes.txt"]
        self.check_raw(info, files)
        self.check_log(info)

    def test_edls_log_above_its_folder(self):
        files = {file: data for file, data in self.case.regions().items() if "KELF" not in file}
        self.write("edl.log", leavings.edl_log(leavings.memory_of(self.case)))
        self.write_all("memory", files)
        info = self.send(self.folder, source="meminspect")
        self.check_places(info, leavings.memory_of(self.case, without=("KELF",)))

    def test_the_tools_own_core_beside_the_regions(self):
        files = {**self.case.with_table(), "minidump.elf": leavings.qdl_core(self.case)}
        info = self.send(self.write_all("set", files), source="meminspect")
        self.assertEqual(info["state"], "COMPLETE", info.get("defects"))
        self.check_log(info)

    def test_other_case_and_vm_prefix(self):
        files = {name.replace(".BIN", ".bin").replace("md_K", "MD_K"): data
                 for name, data in self.case.regions().items()}
        self.check_whole(self.send(self.write_all("lower", files), source="meminspect"))


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


class KinfoAreas(Inputs):
    def release(self):
        return self.case.expected["kernel"]["release"]

    def test_beside_the_regions_in_each_layout(self):
        for layout in leavings.KINFO_LAYOUTS:
            with self.subTest(layout):
                files = {**self.case.regions(), "kinfo.bin": leavings.kinfo(layout, self.release())}
                info = self.send(self.write_all(layout, files))
                self.check_whole(info)
                self.assertEqual(self.codes(info) & {"KINFO_DAMAGED", "FACT_CONFLICT", "UNRECOGNISED"}, set(),
                                 info.get("defects"))
                self.check_raw(info, files)

    def test_of_another_kernel(self):
        files = {**self.case.regions(), "kinfo.bin": leavings.kinfo("E", "5.10.0-other")}
        info = self.send(self.write_all("set", files))
        self.assertIn("5.10.0-other", self.details(info, "FACT_CONFLICT"))
        self.assertEqual(info["kernel"]["release"], self.release())

    def test_with_a_wrong_checksum(self):
        area = bytearray(leavings.kinfo("F", self.release()))
        area[4] ^= 1
        info = self.send(self.write_all("set", {**self.case.regions(), "kinfo.bin": bytes(area)}))
        self.assertIn("KINFO_DAMAGED", self.codes(info))
        self.check_log(info)

    def test_alone_it_says_which_kernel_it_was(self):
        for layout in leavings.KINFO_LAYOUTS:
            with self.subTest(layout):
                info = self.send(self.write(f"kinfo-{layout}.bin", leavings.kinfo(layout, self.release())), source="kinfo")
                self.assertEqual(info["kernel"]["release"], self.release())

    def test_given_with_the_upload(self):
        area = leavings.kinfo("F", self.release()).ljust(4096, b"\0")
        kinfo = self.write("kinfo.bin", area)
        folder = self.write_all("set", self.case.regions())
        info = self.send(folder, f"--kinfo={kinfo}")
        self.check_whole(info)
        self.check_raw(info, {**self.case.regions(), "kinfo.bin": area})


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
