"""The real crashes of tests/corpus, unpacked, and the folders that tests make out of them."""

import functools
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

from tests.support.programs import REPOSITORY

CORPUS = REPOSITORY / "tests/corpus"
TABLE = "minidump_toc.bin"


class Case:
    """One real crash: its files in memory, and what a right answer looks like."""

    def __init__(self, name, files):
        self.name = name
        self.files = files
        self.expected = json.loads(files["expected.json"])
        self.truth = json.loads(files["regions.json"])
        self.dmesg = files["dmesg.txt"]
        self.core = files["expected_core.elf"]

    @functools.cached_property
    def records(self):
        return [json.loads(line) for line in self.files["records.jsonl"].splitlines()]

    def regions(self):
        """What a device hands out, {file name: bytes}, without the address table."""
        return {name: data for name, data in self.files.items() if name.startswith("md_")}

    def with_table(self):
        return {**self.regions(), TABLE: self.files[TABLE]}

    @property
    def log_text_is_absent(self):
        """True where the kernel lost the region of the log's text (meminspect v3 with an enlarged buffer)."""
        return self.expected["meminspect"]["layout"] == "v3" and self.expected["log"]["buffer"] != "static"


def names():
    """The cases there are, sorted. A file added to tests/corpus is a case added."""
    found = sorted(path.name[: -len(".tar.zst")] for path in CORPUS.glob("*.tar.zst"))
    if not found:
        raise AssertionError(f"no crash in {CORPUS}: tests over nothing prove nothing")
    return found


@functools.lru_cache(maxsize=None)
def case(name):
    packed = subprocess.run(["zstd", "-dcq", CORPUS / f"{name}.tar.zst"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {pathlib.PurePosixPath(member.name).name: archive.extractfile(member).read()
                 for member in archive.getmembers() if member.isfile()}
    return Case(name, files)


def cases():
    return [case(name) for name in names()]


def variant(sample, number):
    """(files, concatenated core) of a crash like `sample`, and like no other: its jiffies are moved on by `number`."""
    name = next(name for name in sample.regions() if name.startswith("md_Kjiffies"))
    ticks = int.from_bytes(sample.files[name][:8], "little") + number
    moved = (ticks % 2**64).to_bytes(8, "little") + sample.files[name][8:]
    place = next(region["offset"] for region in sample.truth["regions"] if region["file"] == name)
    core = sample.core[:place] + moved + sample.core[place + len(moved):]
    return {**sample.regions(), name: moved}, core


def write_folder(files, parent, name):
    """Writes {file name: bytes} into a fresh folder parent/name."""
    folder = pathlib.Path(parent) / name
    folder.mkdir(parents=True)
    for file_name, data in files.items():
        (folder / file_name).write_bytes(data)
    return folder


@functools.lru_cache(maxsize=None)
def _vmlinux_folder():
    folder = tempfile.TemporaryDirectory(prefix="corefleet-vmlinux-")
    return folder  # kept until the process ends


@functools.lru_cache(maxsize=None)
def vmlinux(release):
    """The small vmlinux of a kernel release, unpacked."""
    target = pathlib.Path(_vmlinux_folder().name) / f"vmlinux-{release}"
    with open(target, "wb") as out:
        subprocess.run(["zstd", "-dcq", CORPUS / "vmlinux" / f"vmlinux-{release}.zst"], stdout=out, check=True)
    return target


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def fresh_folder(parent, name):
    """An empty folder parent/name; what was there goes."""
    folder = pathlib.Path(parent) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
