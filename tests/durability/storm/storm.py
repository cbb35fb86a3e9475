"""A storm: uploads go on without a pause while seeded faults hit the server, its disk and its database.

    tests/durability/run --faults 1000 --seed 7

corefleetd runs over a small file system of its own and a PostgreSQL of its own, and below its segment store a file layer
forgets what was not synced (forgetful_files.cc), so that every kill is a power cut for the segments. Devices upload crashes made
from the seed and try again until each is acknowledged. A storm comes in rounds; at the end of each all is calm, and then

  * every acknowledged crash is there, byte for byte:      lost = 0, wrong = 0
  * there is exactly one crash for each acknowledgement:   duplicates = 0
  * the server's own accounts agree:                       every *_difference metric is 0

A failing round says its seed; --seed with it and --faults of one round repeat the same faults in the same order. What
the operating system interleaves differs from run to run.
"""

import argparse
import collections
import io
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request

from tests.support import postgres, programs
from tests.support.server import Server, until

FORGETFUL = programs.BAZEL_BIN / "tests/durability/storm/libforgetful_files.so"
DEVICES = 4
ROUND_FAULTS = 150
DISK_MIB = 384


class Disk:
    """A file system of its own for the data directory, in a file; without the right to mount, a plain folder."""

    def __init__(self, mib=DISK_MIB):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-disk-"))
        self.image = self.folder.with_suffix(".img")
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)
        made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", self.image], capture_output=True, check=False)
        self.mounted = made.returncode == 0 and subprocess.run(
            ["mount", "-o", "loop", self.image, self.folder], capture_output=True, check=False).returncode == 0

    def fill(self):
        """Takes every free byte."""
        with open(self.folder / "ballast", "ab") as ballast:
            block = bytes(1 << 20)
            while True:
                try:
                    os.write(ballast.fileno(), block)
                except OSError:
                    if len(block) == 1:
                        return
                    block = block[: max(1, len(block) // 16)]

    def free(self):
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.image.unlink(missing_ok=True)


def crash_files(seed, number):
    """The files of a made-up crash, {name: bytes}: the same for the same seed and number."""
    pick = random.Random(f"{seed} crash {number}")
    files = {}
    for index in range(pick.randint(1, 6)):
        size = int(pick.lognormvariate(10.5, 1.3)) + 1
        half = min(size, 1 << 20) // 2
        files[f"md_K{number}x{index}.BIN"] = pick.randbytes(half) + bytes([pick.randrange(256)]) * (half + 1)
    return files


class Devices:
    """Threads that upload one crash after another, each until it is acknowledged. `acknowledged` is {number: id}."""

    def __init__(self, server, seed, scratch):
        self.server, self.seed, self.scratch = server, seed, pathlib.Path(scratch)
        self.acknowledged = {}
        self.acknowledged_twice = []
        self.attempts = 0
        self.given_up = []
        self._lock = threading.Lock()
        self._next = 0
        self._calm = threading.Event()
        self._threads = [threading.Thread(target=self._send_for_ever) for _ in range(DEVICES)]
        for thread in self._threads:
            thread.start()

    def settle(self, seconds=180):
        """No new crash; those under way are brought to their end."""
        self._calm.set()
        for thread in self._threads:
            thread.join(seconds)
        if any(thread.is_alive() for thread in self._threads):
            raise AssertionError(f"after {seconds} s of calm an upload is still under way")

    def _send_for_ever(self):
        while not self._calm.is_set():
            with self._lock:
                self._next += 1
                number = self._next
            self._send(number)

    def _send(self, number):
        folder = self.scratch / f"crash-{number}"
        folder.mkdir()
        for name, data in crash_files(self.seed, number).items():
            (folder / name).write_bytes(data)
        end = time.monotonic() + 300
        while time.monotonic() < end:
            self.attempts += 1
            try:
                outcome = self.server.cli("upload", "--json", "--device", f"dev-{number % 7}", folder, timeout=60)
            except subprocess.TimeoutExpired:
                continue
            if outcome.code == 0:
                self.acknowledged[number] = programs.json_lines(outcome.out)[0]["id"]
                shutil.rmtree(folder)
                return
            time.sleep(0.05)
        self.given_up.append((number, outcome.text[-500:]))


class Round:
    """One storm from calm to calm."""

    def __init__(self, seed, faults, outage_seconds, lying_disk=False):
        if not FORGETFUL.exists():
            raise FileNotFoundError(FORGETFUL)  # the loader would go on without it, and no kill would lose anything
        self.seed, self.faults, self.outage_seconds = seed, faults, outage_seconds
        self.pick = random.Random(f"{seed} faults")
        self.counts = collections.Counter()
        self.disk = Disk()
        self.cluster = postgres.Cluster()
        self.server = Server(data_dir=self.disk.folder / "data", flags=[f"--database={self.cluster.uri}", "--device_crashes_per_hour=0"],
                             wrapper=[])
        self.scratch = tempfile.TemporaryDirectory(prefix="corefleet-storm-")
        self._environment = {"LD_PRELOAD": str(FORGETFUL), "FORGETFUL_SEED": str(seed),
                             "FORGETFUL_LIES": str(int(lying_disk))}

    def run(self):
        """The round's report; raises AssertionError when something was lost, doubled or wrong."""
        try:
            self._start()
            self.devices = Devices(self.server, self.seed, self.scratch.name)
            try:
                for fault in self._faults():
                    fault()
                    self.counts[name_of(fault)] += 1
            finally:
                self._calm_down()
                self.devices.settle()
            return self._check()
        finally:
            self.server.kill()
            self.cluster.close()
            self.disk.close()
            self.scratch.cleanup()

    def _start(self):
        """Starts corefleetd over the forgetful file layer."""
        saved = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        try:
            self.server.start(seconds=90)
        finally:
            for name, value in saved.items():
                if value is None:
                    os.environ.pop(name)
                else:
                    os.environ[name] = value

    def _kinds(self):
        """[(fault, how often)]"""
        kinds = [(self._kill, 40), (self._pause, 15), (self._database_restart, 12), (self._database_pause, 8),
                 (self._database_outage, 8), (self._long_database_outage, 0.7), (self._kill_without_database, 5)]
        if self.disk.mounted:
            kinds += [(self._disk_full, 10), (self._kill_on_a_full_disk, 5)]
        return kinds

    def _faults(self):
        """What strikes, one after the other."""
        kinds, weights = zip(*self._kinds())
        for _ in range(self.faults):
            time.sleep(self.pick.uniform(0.02, 0.4))
            yield self.pick.choices(kinds, weights)[0]

    def _kill(self):
        self.server.kill()
        self._start()

    def _pause(self):
        os.kill(self.server.pid(), signal.SIGSTOP)
        time.sleep(self.pick.uniform(0.05, 1.5))
        os.kill(self.server.pid(), signal.SIGCONT)

    def _database_restart(self):
        self.cluster.stop(self.pick.choice(["fast", "immediate"]))
        self.cluster.start()

    def _database_pause(self):
        pids = self.cluster.pids()
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        time.sleep(self.pick.uniform(0.05, 1.5))
        for pid in pids:
            _signal(pid, signal.SIGCONT)

    def _database_outage(self):
        self.cluster.stop("immediate")
        time.sleep(self.pick.uniform(0.1, 2))
        self.cluster.start()

    def _long_database_outage(self):
        self.cluster.stop("immediate")
        time.sleep(self.outage_seconds)
        self.cluster.start()

    def _kill_without_database(self):
        self.cluster.stop("immediate")
        self.server.kill()
        starter = threading.Thread(target=self._start)
        starter.start()
        time.sleep(self.pick.uniform(0.05, 1))
        self.cluster.start()
        starter.join(120)

    def _disk_full(self):
        self.disk.fill()
        time.sleep(self.pick.uniform(0.1, 1.5))
        self.disk.free()

    def _kill_on_a_full_disk(self):
        self.disk.fill()
        time.sleep(self.pick.uniform(0.05, 0.5))
        self.server.kill()
        self.disk.free()
        self._start()

    def _calm_down(self):
        self.disk.free()
        if not self.cluster.pids():
            self.cluster.start()
        if self.server.process is None or self.server.process.poll() is not None:
            self._start()

    def _check(self):
        acknowledged = self.devices.acknowledged
        listed = self.server.ids_all()
        report = {"seed": self.seed, "faults": sum(self.counts.values()),
                  "by_kind": dict(self.counts), "acknowledged": len(acknowledged), "attempts": self.devices.attempts,
                  "lost": sorted(set(acknowledged.values()) - set(listed)),
                  "duplicates": len(listed) - len(set(listed)) + len(set(listed) - set(acknowledged.values())),
                  "wrong": [number for number, crash in acknowledged.items()
                            if crash in set(listed) and not self._is_right(number, crash)],
                  "given_up": self.devices.given_up, "differences": self._differences()}
        if len(set(acknowledged.values())) != len(acknowledged):
            report["duplicates"] += 1
        bad = [what for what in ("lost", "duplicates", "wrong", "given_up") if report[what]]
        bad += [name for name, value in report["differences"].items() if value != 0]
        if bad or not acknowledged:
            raise AssertionError(f"{', '.join(bad) or 'nothing got through'}: {json.dumps(report)}\n"
                                 f"{self.server.log()[-4000:]}")
        return report

    def _is_right(self, number, crash):
        fetched = self.server.cli("fetch", crash, "--as", "raw", "-o", "-")
        if fetched.code != 0:
            return False
        with tarfile.open(fileobj=io.BytesIO(fetched.out)) as archive:
            found = {pathlib.PurePosixPath(member.name).name: archive.extractfile(member).read()
                     for member in archive.getmembers() if member.isfile()}
        return {name: data for name, data in found.items() if name.startswith("md_")} == crash_files(self.seed, number)

    def _differences(self):
        """Every metric that says how far the server's accounts disagree, once its reconciler had time to look."""
        def read():
            text = urllib.request.urlopen(f"http://{self.server.addresses['http']}/metrics", timeout=10).read().decode()
            return {name: float(value) for name, value in
                    re.findall(r"^(corefleet_(?:\w*_difference|reconcile_lost_\w+|reconcile_unreadable_segments)(?:\{[^}]*\})?)"
                               r" (\S+)$", text, re.MULTILINE)}
        try:
            until(lambda: all(value == 0 for value in read().values()), "the accounts agree", 20)
        except AssertionError:
            pass  # the report has the figures
        return read()


def name_of(fault):
    return fault.__name__.strip("_")


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def main():
    parser = argparse.ArgumentParser(prog="tests/durability/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=ROUND_FAULTS, help=f"in all; {ROUND_FAULTS} a round (default: one round)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each next one has the next number")
    parser.add_argument("--outage", type=float, default=30, help="seconds of a long database outage (default 30)")
    options = parser.parse_args()
    total = collections.Counter()
    seed, left = options.seed, options.faults
    began = time.monotonic()
    while left > 0:
        report = Round(seed, min(left, ROUND_FAULTS), options.outage).run()
        print(json.dumps(report), flush=True)
        total.update(report["by_kind"])
        total["acknowledged"] += report["acknowledged"]
        left -= report["faults"]
        seed += 1
    print(f"{options.faults} faults in {time.monotonic() - began:.0f} s: lost 0, duplicates 0, wrong 0; {dict(total)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
