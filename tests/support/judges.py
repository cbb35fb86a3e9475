"""The tools that other people wrote and trust, asked about a core: gdb, drgn, vmcore-dmesg, crash.

Each judge gives back what it read, or raises Refused with the tool's own words.
"""

import functools
import json
import re

from tests.support import corpus, programs


class Refused(Exception):
    """The tool did not open the core, or did not find what it was asked for."""


def gdb(case, core):
    """(banner, release), by symbol."""
    kernel = case.expected["kernel"]
    outcome = programs.run(
        programs.tool("gdb-multiarch"), "-nx", "-batch", "-c", core,
        "-ex", f"symbol-file -o {kernel['kaslr_offset'] or 0} {corpus.vmlinux(kernel['release'])}",
        "-ex", r'printf "\n@banner %s", (char*)&linux_banner',
        "-ex", r'printf "\n@release %s\n", init_uts_ns.name.release')
    found = dict(re.findall(r"^@(\w+) (.*)$", outcome.text, re.MULTILINE))
    if {"banner", "release"} - found.keys():
        raise Refused(last_line(outcome.error))
    return found["banner"], found["release"]


_DRGN = """
import json, sys, drgn
from drgn.helpers.linux.printk import get_dmesg
program = drgn.Program()
program.set_core_dump(sys.argv[1])
program.load_debug_info([sys.argv[2]])
name = program["init_uts_ns"].name
found = {"release": name.release.string_().decode(), "version": name.version.string_().decode(),
         "taint": int(program["tainted_mask"])}
try:
    found["dmesg"] = get_dmesg(program).decode("latin-1")
except Exception as error:
    found["dmesg_error"] = repr(error)
json.dump(found, sys.stdout)
"""


@functools.lru_cache(maxsize=None)
def drgn(case, core):
    """{release, version, taint, and dmesg (latin-1 text) or dmesg_error}."""
    vmlinux = corpus.vmlinux(case.expected["kernel"]["release"])
    outcome = programs.run("/usr/bin/python3", "-c", _DRGN, core, vmlinux)
    if outcome.code != 0:
        raise Refused(last_line(outcome.error))
    return json.loads(outcome.text)


def vmcore_dmesg(core):
    """The log as kexec-tools' vmcore-dmesg prints it; it needs no vmlinux."""
    outcome = programs.run(programs.tool("vmcore-dmesg", "kexec-tools-amd64", "sbin/vmcore-dmesg"), core)
    if outcome.code != 0:
        raise Refused(last_line(outcome.error))
    return outcome.out


def crash(case, core):
    """The log as crash prints it."""
    kernel = case.expected["kernel"]
    vmlinux = corpus.vmlinux(kernel["release"])
    if case.expected["arch"] == "x86_64":
        command = [programs.tool("crash")]
        if kernel["release"].startswith("6.12"):  # crash 8.0.2 finds the offset of older kernels by itself
            command.append(f"--kaslr={kernel['kaslr_offset'] or 0}")
    else:
        root = programs.tools_dir() / "crash-arm64"
        if not (root / "usr/bin/crash").exists():
            raise AssertionError("arm64's crash is not here: run deploy/setup --test")
        command = [programs.qemu_aarch64(), "-L", root, root / "usr/bin/crash"]
    outcome = programs.run(*command, "--minimal", "-s", vmlinux, core, stdin=b"log\nquit\n", timeout=600)
    lines = outcome.out.splitlines(keepends=True)
    if outcome.code != 0 or not any(line.startswith(b"[") for line in lines):
        # -s also keeps back why.
        aloud = programs.run(*command, "--minimal", vmlinux, core, stdin=b"quit\n", timeout=600)
        said = [line.strip() for line in (outcome.text + outcome.error + aloud.text + aloud.error).splitlines()]
        raise Refused(next((line for line in said if line.startswith(("crash: ", "WARNING: cannot"))), last_line(aloud.text)))
    start = next(i for i, line in enumerate(lines) if line.startswith(b"["))
    return b"".join(lines[start:])


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(no word)"


def with_vmcore_dmesg_habits(records):
    """The log as vmcore-dmesg writes it: one stamp a record, and bytes that are not printable ASCII as \\xNN."""
    out = []
    for record in records:
        seconds, nsec = divmod(record["ts_nsec"], 10**9)
        escaped = b"".join(bytes([byte]) if 32 <= byte < 127 or byte in b"\n\t" else b"\\x%02x" % byte
                           for byte in text_bytes(record))
        out.append(b"[%5d.%06d] %s\n" % (seconds, nsec // 1000, escaped))
    return b"".join(out)


def text_bytes(record):
    """A record's own bytes: records.jsonl writes those that are not UTF-8 as \\xNN."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), record["text"].encode())


def plain(log):
    """A log without what each tool writes its own way: stamps, indents, and every byte that is not printable ASCII."""
    text = re.sub(r"(?m)^(\[ *\d+\.\d{6}\])?[ \t]*", "", log.decode("latin-1") if isinstance(log, bytes) else log)
    text = re.sub(r"\\x[0-9a-f]{2}", "", text)
    return re.sub(r"[^\n -~]|[.?]", "", text)
