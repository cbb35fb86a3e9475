"""What firmware, tools and kernels make of a crash's regions: a second way to write every format, from its description
in docs/formats and not from our own writers, so that a mistake in one does not hide in the other.

All of it is little-endian and of 64-bit machines, unless it says otherwise.
"""

import struct
import subprocess
import zlib


class Memory:
    """One region of a case: its file's name, where it lay, and its bytes."""

    def __init__(self, file, paddr, data):
        self.file = file
        self.paddr = paddr
        self.data = data


def memory_of(case, without=()):
    """The regions of a case as the firmware lists them, but for files whose name holds a word of `without`."""
    return [Memory(region["file"], int(region["paddr"], 16), case.files[region["file"]])
            for region in case.truth["regions"]
            if region["file"] in case.files and not any(word in region["file"] for word in without)]


def fixed(text, size):
    """Text in a field, cut or filled with zeros."""
    return text.encode()[:size].ljust(size, b"\0")


# --- Boot firmware.

RAW_VALID, RAW_NO_ROOM = 1, 2


def raw_dump(regions, mark=b"Raw_Dmp!", written=None, load_script=False):
    """A Raw_Dmp! container. `written`: only so many sections found room. `load_script`: load.cmm is a section of its own,
    and the sections do not say where they lay."""
    parts = [(memory.file, 0 if load_script else memory.paddr, memory.data, 3 if load_script else 1)
             for memory in regions]
    if load_script:
        parts.append(("load.cmm", 0, load_cmm(regions), 3))
    written = len(parts) if written is None else written
    offset = 56 + 64 * len(parts)
    heads, bodies = [], []
    for number, (name, base, data, kind) in enumerate(parts):
        there = number < written
        heads.append(struct.pack("<IIIQQQQ20s", RAW_VALID if there else RAW_NO_ROOM, 0x1000, kind, offset if there else 0,
                                 len(data), base, 0, fixed(name, 20)))
        if there:
            bodies.append(data)
            offset += len(data)
    needed = 56 + 64 * len(parts) + sum(len(data) for _, _, data, _ in parts)
    flags = RAW_VALID | (RAW_NO_ROOM if written < len(parts) else 0)
    head = struct.pack("<8sIIQQIQQI", mark, 0x1000, flags, 0, 0, 0, offset, needed, len(parts))
    return head + b"".join(heads) + b"".join(bodies)


def sahara64(regions):
    return b"".join(struct.pack("<QQQ20s20s", 1, memory.paddr, len(memory.data), fixed(memory.file.rsplit(".", 1)[0], 20),
                                fixed(memory.file, 20)) for memory in regions)


def sahara32(regions):
    return b"".join(struct.pack("<III20s20s", 1, memory.paddr, len(memory.data), fixed(memory.file.rsplit(".", 1)[0], 20),
                                fixed(memory.file, 20)) for memory in regions)


def qaic(regions):
    table = sahara64(regions)
    payload = b"".join(memory.data for memory in regions)
    head = struct.pack("<QQQQ", 0x1234567890ABCDEF, 1, 32 + len(table) + len(payload), len(table))
    return head + table + payload


# --- Tools on the host.

def edl_log(regions):
    lines = ["Qualcomm Sahara / Firehose Client V3.62 (c) B.Kerler 2018-2025.", "main - Waiting for the device",
             "main - Device detected :)", "main - Mode detected: sahara"]
    for memory in regions:
        stem = memory.file.rsplit(".", 1)[0]
        lines.append(f"{memory.file}({stem}): Offset 0x{memory.paddr:x}, Length 0x{len(memory.data):x}, SavePref 0x1")
    for memory in regions:
        lines.append(f"Dumping {memory.file} at 0x{memory.paddr:x}, length 0x{len(memory.data):x}")
        lines.append("Progress: |" + "█" * 50 + "| 100.0% Complete")
    return ("\n".join(lines) + "\n").encode()


def dump_info(regions):
    return "".join(f"1 0x{memory.paddr:016x}\t{len(memory.data):16d}\t{memory.file.rsplit('.', 1)[0]:<20s}\t{memory.file}\n"
                   for memory in regions).encode()


def load_cmm(regions):
    return "".join(f"d.load.binary {memory.file} 0x{memory.paddr:x} /noverify\n" for memory in regions).encode()


def load_places(header):
    """(paddr, size) of each PT_LOAD, in the order of the program headers."""
    count = struct.unpack_from("<H", header, 56)[0]
    found = []
    for number in range(count):
        kind, _, _, _, paddr, size = struct.unpack_from("<IIQQQQ", header, 64 + 56 * number)
        if kind == 1:
            found.append((paddr, size))
    return found


def qdl_core(case, without=()):
    """minidump.elf as qdl puts it together: what is missing is left out, and everything after it moves up."""
    regions = memory_of(case)
    header = next(memory.data for memory in regions if memory.file.startswith("md_KELF"))
    info = next(memory.data for memory in regions if memory.file.startswith("md_Kvmcorein"))
    parts = [header, info]
    for paddr, size in load_places(header):
        found = next((memory for memory in regions if memory.paddr == paddr and not memory.file.startswith("md_KELF")), None)
        if found and not any(word in found.file for word in without):
            parts.append(found.data.ljust(size, b"\0"))
    return b"".join(parts)


# --- Co-processors.

def coprocessor(regions, sections=True):
    """What remoteproc leaves of a co-processor: named sections and no program headers; or loads and no notes."""
    return _sections_only(regions) if sections else _loads_only(regions)


def _elf_head(phnum=0, shnum=0, machine=164):
    return struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 4, machine, 1, 0, 64 if phnum else 0,
                       64 if shnum else 0, 0, 64, 56 if phnum else 0, phnum, 64 if shnum else 0, shnum, 1 if shnum else 0)


def _sections_only(regions):
    names, places = b"\0STR_TBL\0", []
    for memory in regions:
        places.append(len(names))
        names += memory.file.rsplit(".", 1)[0].encode() + b"\0"
    count = len(regions) + 2
    offset = 64 + 64 * count
    heads = bytes(64) + struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, offset, len(names), 0, 0, 0, 0)
    offset += len(names)
    for memory, name in zip(regions, places):
        heads += struct.pack("<IIQQQQIIQQ", name, 1, 0, memory.paddr, offset, len(memory.data), 0, 0, 0, 0)
        offset += len(memory.data)
    return _elf_head(shnum=count) + heads + names + b"".join(memory.data for memory in regions)


def _loads_only(regions):
    offset = 64 + 56 * len(regions)
    heads = b""
    for memory in regions:
        heads += struct.pack("<IIQQQQQQ", 1, 7, offset, memory.paddr, memory.paddr, len(memory.data), len(memory.data), 0)
        offset += len(memory.data)
    return _elf_head(phnum=len(regions)) + heads + b"".join(memory.data for memory in regions)


# --- pstore.

def printed(log):
    """A log as pstore gets it: with a level before each line."""
    return b"".join(b"<6>" + line for line in log.splitlines(keepends=True))


def parts_of(text, size):
    """The text cut into parts from its end: the first is the newest."""
    lines, parts = text.splitlines(keepends=True), []
    while lines:
        part = b""
        while lines and (not part or len(part) + len(lines[-1]) <= size):
            part = lines.pop() + part
        parts.append(part)
    return parts


def raw_deflate(data):
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zstd(data):
    return subprocess.run(["zstd", "-q", "-3", "--no-check"], input=data, capture_output=True, check=True).stdout


def efi_records(log, seconds=1778241600, reason="Panic", count=1, size=1024, pack=None, missing=()):
    """{file name: bytes} as efi_pstore shows a dump. `pack`: still compressed, as .enc.z. `missing`: part numbers."""
    files = {}
    for number, part in enumerate(parts_of(printed(log), size), 1):
        if number in missing:
            continue
        data = f"{reason}#{count} Part{number}\n".encode() + part
        name = f"dmesg-efi_pstore-{seconds}{number:02d}{count:03d}"
        files[name + (".enc.z" if pack else "")] = pack(data) if pack else data
    return files


def ramoops_records(log, console=b""):
    files = {"dmesg-ramoops-0": b"Panic#1 Part1\n" + printed(log)}
    if console:
        files["console-ramoops-0"] = console
    return files


def _ring(text, capacity):
    """A persistent_ram zone that the text was written into, perhaps around its end."""
    if len(text) <= capacity:
        start, size, data = len(text) % capacity, len(text), text.ljust(capacity, b"\0")
    else:
        start, size, kept = len(text) % capacity, capacity, text[-capacity:]
        data = kept[capacity - start:] + kept[:capacity - start]
    return struct.pack("<III", 0x43474244, start, size) + data


def ramoops_area(log, console, record=64 * 1024, zones=2):
    """The memory of a ramoops area: one dump in the first of `zones`, empty ones, and the console's ring."""
    text = b"====1778241600.123456-D\nPanic#1 Part1\n" + printed(log)
    text = text[:record - 12]
    empty = struct.pack("<III", 0x43474244, 0, 0).ljust(record, b"\0")
    zone = (struct.pack("<III", 0x43474244, len(text), len(text)) + text).ljust(record, b"\0")
    return zone + empty * (zones - 1) + _ring(console, record - 12)


# --- Debug Kinfo.

KINFO_LAYOUTS = ("A", "B", "C", "D", "E", "F")


def kinfo(layout, release, text=0x80010000, num_syms=100000):
    """A Debug Kinfo area of one of the six layouts, its release field as the kernel fills it."""
    head = struct.pack("<BBBBIHHHH", 1, 1, 0, 0, num_syms, 512, 64, 56, 600)
    first = (0, text) if layout in "ABC" else (0, 0)
    if layout in "EF":
        first = (0, text - 0x10000)  # _relative_pa, _text_pa
    addresses = [*first, text, text + 0x800000, text + 0x900000, text + 0xA00000, text + 0x2000000]
    addresses += [text + 0x1000000 + 0x10000 * n for n in range(5)]
    body = head + struct.pack("<12Q", *addresses)
    if layout in "CEF":
        body += struct.pack("<Q", text + 0x1060000)
    body += struct.pack("<IQ", 16384, text + 0x1500000) + fixed(release, 64)
    if layout != "F":
        body += fixed("lab build 7", 256)
    if layout != "A":
        body += struct.pack("<III", 1, 0x180, 0x200)
    if layout == "D":
        body += struct.pack("<5Q", text + 0x1060000, 0, 0, 0, 0)
    checksum = 0
    for word in struct.unpack(f"<{len(body) // 4}I", body):
        checksum ^= word
    return struct.pack("<II", 0xCCEEDDFF, checksum) + body


# --- kdump.

def flattened(data, chunk=65536, start_last=False):
    """makedumpfile -F: chunks may come in any order, and a later one overwrites an earlier one, as the header does when
    it is written once more at the end. `start_last`: the file's first bytes come only then."""
    offsets = list(range(0, len(data), chunk))
    offsets = offsets[1 if start_last else 0:] + offsets[:1]
    out = (b"makedumpfile".ljust(16, b"\0") + struct.pack(">qq", 1, 1)).ljust(4096, b"\0")
    for number, offset in enumerate(offsets):
        piece = data[offset:offset + chunk]
        if offset == 0 and number == 0:
            piece = piece[:64] + bytes(8) + piece[72:]  # what the last chunk puts right
        out += struct.pack(">qq", offset, len(piece)) + piece
    return out + struct.pack(">qq", -1, -1)


def _uts(case):
    kernel = case.expected["kernel"]
    words = ("Linux", kernel["nodename"], kernel["release"], kernel["version"], kernel["machine"], "(none)")
    return b"".join(fixed(word, 65) for word in words)


def _pages(regions):
    """{page frame: its 4 KiB} of everything that the regions hold."""
    pages = {}
    for memory in regions:
        at, data = memory.paddr, memory.data
        while data:
            within = at % 4096
            piece, data = data[:4096 - within], data[4096 - within:]
            page = pages.setdefault(at // 4096, bytearray(4096))
            page[within:within + len(piece)] = piece
            at += len(piece)
    return pages


def compressed_dump(case, parts=1):
    """The files of makedumpfile's compressed format (version 6, zlib), made of a case's regions; several when split."""
    regions = [memory for memory in memory_of(case) if not memory.file.startswith("md_KELF")]
    info = next(memory.data for memory in regions if memory.file.startswith("md_Kvmcorein")).rstrip(b"\0")
    pages = _pages(regions)
    frames = max(pages) + 1
    bitmap = bytearray((frames + 7) // 8)
    for frame in pages:
        bitmap[frame // 8] |= 1 << frame % 8
    blocks = (len(bitmap) + 4095) // 4096
    bitmap = bytes(bitmap).ljust(blocks * 4096, b"\0")
    ordered = sorted(pages)
    share = (len(ordered) + parts - 1) // parts
    files = []
    for number in range(parts):
        mine = ordered[number * share:(number + 1) * share]
        first = 0 if number == 0 else mine[0]
        end = frames if number == parts - 1 else ordered[(number + 1) * share]
        files.append(_compressed_part(case, info, pages, mine, bitmap, blocks, frames, (first, end) if parts > 1 else None))
    return files


def _compressed_part(case, info, pages, mine, bitmap, blocks, frames, split):
    # VMCOREINFO is one of the notes; the header points to the notes and into this one.
    notes = struct.pack("<III", 11, len(info), 0) + b"VMCOREINFO\0\0" + info.ljust((len(info) + 3) // 4 * 4, b"\0")
    notes_at = 4096 + 120
    info_at = notes_at + 24
    sub_blocks = (120 + len(notes) + 4095) // 4096
    first, end = split or (0, 0)
    header = (struct.pack("<8si", b"KDUMP   ", 6) + _uts(case)).ljust(408, b"\0")
    header += struct.pack("<qqIiiIIIIII", 1778241600, 0, 1, 4096, sub_blocks, 2 * blocks, min(frames, 2**32 - 1), 0, 0, 0, 0)
    header += struct.pack("<i", 1)
    sub = struct.pack("<QiiQQQQQQQQQQQ", 0, 31, 1 if split else 0, first, end, info_at, len(info), notes_at, len(notes), 0, 0,
                      first, end, frames)
    start = header.ljust(4096, b"\0") + (sub.ljust(120, b"\0") + notes).ljust(sub_blocks * 4096, b"\0") + bitmap + bitmap
    at = len(start) + 24 * len(mine)
    descriptors, bodies = [], []
    for frame in mine:
        data, flags = zlib.compress(bytes(pages[frame]), 6), 1
        if len(data) >= 4096:
            data, flags = bytes(pages[frame]), 0
        descriptors.append(struct.pack("<QIIQ", at, len(data), flags, 0))
        bodies.append(data)
        at += len(data)
    return start + b"".join(descriptors) + b"".join(bodies)


def elf32(machine=40):
    """A 32-bit core with a note and a load, as a 32-bit kernel's kdump leaves it."""
    note = struct.pack("<III", 11, 32, 0) + b"VMCOREINFO\0\0" + b"OSRELEASE=6.1.0-armv7\nPAGESIZE=\n"
    head = struct.pack("<4sBBBB8xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 0, 4, machine, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    data = 52 + 64 + len(note)
    heads = struct.pack("<IIIIIIII", 4, 116, 0, 0, len(note), len(note), 0, 0)
    heads += struct.pack("<IIIIIIII", 1, data, 0xC0000000, 0x80000000, 4096, 4096, 7, 0)
    return head + heads + note + bytes(4096)


def big_endian_core():
    """A 64-bit big-endian core, as ppc64's kdump leaves it."""
    note = struct.pack(">III", 11, 32, 0) + b"VMCOREINFO\0\0" + b"OSRELEASE=6.1.0-ppc64\nPAGESIZE=\n"
    head = struct.pack(">4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 2, 1, 0, 4, 21, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    data = 64 + 112 + len(note)
    heads = struct.pack(">IIQQQQQQ", 4, 0, 176, 0, 0, len(note), len(note), 0)
    heads += struct.pack(">IIQQQQQQ", 1, 7, data, 0xC000000000000000, 0, 4096, 4096, 0)
    return head + heads + note + bytes(4096)


def noise(size, seed=7):
    """Bytes that are nothing, the same for the same seed."""
    out = b""
    while len(out) < size:
        seed = zlib.crc32(struct.pack("<I", seed))
        out += struct.pack("<I", seed)
    return out[:size]
