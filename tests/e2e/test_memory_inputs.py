"""Memory that a crashed device can leave, in the containers of firmware and of its tools, beside their tables and beside
Android's kinfo area, made of real crashes, goes in through the command line and the collector alike, and comes out with
the answers that its bytes allow."""

import pathlib
import subprocess
import unittest

from tests.support import corpus, leavings, programs
from tests.support.inputs import Inputs

# arm64, with more CPUs than the inputs' own case; it too has the static log ring and records that print in one line.
ARM = "d53-null-nokaslr"


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


if __name__ == "__main__":
    unittest.main()
