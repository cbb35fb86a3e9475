"""How fast the whole way is on this machine, next to what the machine itself can do.

* seconds from the start of `corefleet upload` to the end of `corefleet log`, for the largest sample, both as programs;
* crashes a second through one server with eight uploaders on the same cores, every crash a different one;
* the server's resident memory, idle and at its peak;
* the machine's limit: the same bytes hashed, appended and fdatasync'ed by a plain loop, once for each crash.
"""

import argparse
import hashlib
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

from tests.support import corpus, programs
from tests.support.server import Server, until

UPLOADERS = 8


def resident_mib(pid, field):
    """VmRSS (now) or VmHWM (the peak) of a process."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise AssertionError(field)


def largest():
    return max(corpus.cases(), key=lambda case: sum(map(len, case.regions().values())))


def upload_to_log(server, sample, scratch, number):
    """Seconds from the start of the upload to the whole log, read back right."""
    files, _ = corpus.variant(sample, number)
    folder = corpus.write_folder(files, scratch, f"one-{number}")
    began = time.monotonic()
    crash = server.json("upload", "--wait", folder)[0]["id"]
    log = server.ok("log", crash, "--raw")
    seconds = time.monotonic() - began
    if log != sample.dmesg:
        raise AssertionError("the log is not what it should be")
    return seconds


def throughput(server, sample, scratch, count, first):
    """Crashes a second until the last is acknowledged, and until the last has its facts."""
    folders = [corpus.write_folder(corpus.variant(sample, first + n)[0], scratch, f"many-{first + n}")
               for n in range(count)]
    before = len(server.ids())
    failures = []

    def send(part):
        outcome = server.cli("upload", "--device", f"bench-{part}", *folders[part::UPLOADERS], timeout=600)
        if outcome.code != 0:
            failures.append(outcome)

    senders = [threading.Thread(target=send, args=(part,)) for part in range(UPLOADERS)]
    began = time.monotonic()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    stored = time.monotonic() - began
    if failures:
        raise AssertionError(repr(failures[0]))
    until(lambda: not server.json("list", "--state", "RECEIVED", "-n", "1"), "all are analysed", 120)
    analysed = time.monotonic() - began
    if len(server.ids()) != min(1000, before + count):
        raise AssertionError("crashes are missing")
    return count / stored, count / analysed


def machine_limit(sample, scratch, count):
    """The same bytes with nothing around them: SHA-256, append, fdatasync for each crash, on one thread."""
    data = b"".join(sample.regions().values())
    descriptor = os.open(pathlib.Path(scratch) / "plain", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    began = time.monotonic()
    for _ in range(count):
        hashlib.sha256(data).digest()
        os.write(descriptor, data)
        os.fdatasync(descriptor)
    seconds = time.monotonic() - began
    os.close(descriptor)
    return count / seconds


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crashes", type=int, default=400, help="for the throughput, each time (default 400)")
    parser.add_argument("--repeat", type=int, default=5, help="how often; medians are printed (default 5)")
    options = parser.parse_args()

    sample = largest()
    size = sum(map(len, sample.regions().values()))
    rows = []
    with tempfile.TemporaryDirectory(prefix="corefleet-bench-") as scratch, Server() as server:
        pid = server.pid()
        idle = resident_mib(pid, "VmRSS")
        one = [upload_to_log(server, sample, scratch, n + 1) for n in range(options.repeat)]
        rows.append(("upload to readable log, largest sample", f"{statistics.median(one):.3f} s",
                     " ".join(f"{seconds:.3f}" for seconds in sorted(one))))
        many = [throughput(server, sample, scratch, options.crashes, 1000 + n * options.crashes)
                for n in range(options.repeat)]
        limit = [machine_limit(sample, scratch, options.crashes) for _ in range(options.repeat)]
        stored = statistics.median(each[0] for each in many)
        rows.append((f"durable crashes, {UPLOADERS} uploaders", f"{stored:.0f} /s",
                     " ".join(f"{each[0]:.0f}" for each in sorted(many))))
        rows.append(("the same with their facts", f"{statistics.median(each[1] for each in many):.0f} /s",
                     " ".join(f"{each[1]:.0f}" for each in sorted(many, key=lambda each: each[1]))))
        rows.append(("plain loop: hash, append, fdatasync", f"{statistics.median(limit):.0f} /s",
                     " ".join(f"{each:.0f}" for each in sorted(limit))))
        rows.append(("  corefleetd to that", f"{stored / statistics.median(limit):.2f}", "uploaders on the same cores"))
        rows.append(("server RSS idle", f"{idle:.0f} MiB", "corefleetd without its PostgreSQL"))
        rows.append(("server RSS peak", f"{resident_mib(pid, 'VmHWM'):.0f} MiB", "over all of the above"))

    cpu = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{sample.name}: {len(sample.regions())} files, {size} bytes; {cpu} cores; median of {options.repeat}; "
          f"{programs.COREFLEETD}")
    for what, figure, detail in rows:
        print(f"  {what:42} {figure:>10}   {detail}")


if __name__ == "__main__":
    main()
