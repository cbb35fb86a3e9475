"""A real corefleetd on free ports, and the corefleet command pointed at it."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from tests.support import programs


def until(condition, what, seconds=30, every=0.05):
    """Waits until condition() is true and gives back what it returned; fails when it takes longer than `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(every)


class Server:
    """corefleetd over one data directory, which outlives the process: stop, kill and start it as often as needed.

    `wrapper` is put before the command, such as ["strace", ...]. Ports stay the same over restarts, so a client that
    retries finds the server again.
    """

    def __init__(self, data_dir=None, flags=(), wrapper=()):
        self._own = data_dir is None
        self.data_dir = pathlib.Path(data_dir or tempfile.mkdtemp(prefix="corefleet-e2e-"))
        self.flags = list(flags)
        self.wrapper = list(wrapper)
        self.addresses = {}
        self.process = None

    @property
    def log_path(self):
        return self.data_dir / "corefleetd.log"

    def command(self):
        command = [programs.COREFLEETD, f"--data_dir={self.data_dir}"]
        for name in ("ingest", "archive", "http"):
            command.append(f"--{name}_address={self.addresses.get(name, '127.0.0.1:0')}")
        return [str(part) for part in [*self.wrapper, *command, *self.flags]]

    def launch(self):
        """Starts the process and does not wait until it serves."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "addresses").unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        return self

    def start(self, seconds=60):
        """Starts it and waits until it serves."""
        self.launch()
        return self.wait_ready(seconds)

    def wait_ready(self, seconds=60):
        until(lambda: self._read_addresses() or self._died(), "corefleetd writes its addresses", seconds)
        if not self.addresses_written():
            raise AssertionError(f"corefleetd ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        return self

    def addresses_written(self):
        return (self.data_dir / "addresses").exists()

    def _died(self):
        return self.process.poll() is not None

    def _read_addresses(self):
        try:
            text = (self.data_dir / "addresses").read_text()
        except FileNotFoundError:
            return False
        found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        if not {"ingest", "archive", "http"} <= found.keys():
            return False
        self.addresses = found
        return True

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def pid(self):
        """corefleetd's own, also below a wrapper."""
        if not self.wrapper:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def stop(self, seconds=40):
        """Asks it to end and gives back its exit code."""
        if self.process and self.process.poll() is None:
            os.kill(self.pid(), signal.SIGTERM)
            self.process.wait(seconds)
        return self.process.returncode if self.process else None

    def kill(self):
        """kill -9, and nothing after it."""
        if self.process and self.process.poll() is None:
            os.kill(self.pid(), signal.SIGKILL)
            self.process.wait(20)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """Stops it and removes the data directory if it made it."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
        if self._own and not os.environ.get("COREFLEET_KEEP"):
            shutil.rmtree(self.data_dir, ignore_errors=True)

    @classmethod
    def of_class(cls, suite):
        """A started server for all tests of a class; it ends with them, also when the rest of setUpClass fails."""
        server = cls()
        suite.addClassCleanup(server.close)
        return server.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # The command line, pointed here.

    def environment(self):
        return {**os.environ, "COREFLEET_SERVER": self.addresses.get("archive", "127.0.0.1:1"),
                "COREFLEET_INGEST": self.addresses.get("ingest", "127.0.0.1:1")}

    def cli(self, *arguments, timeout=120, stdin=b""):
        return programs.run(programs.COREFLEET, *arguments, env=self.environment(), timeout=timeout, stdin=stdin)

    def ok(self, *arguments, **options):
        """The same, and it has to succeed; gives back stdout's bytes."""
        outcome = self.cli(*arguments, **options)
        if outcome.code != 0:
            raise AssertionError(repr(outcome))
        return outcome.out

    def json(self, *arguments, **options):
        """The messages that a command with --json prints, one a line."""
        return programs.json_lines(self.ok(*arguments, "--json", **options))

    def upload(self, *paths, device="e2e", wait=True):
        """Uploads, and gives back what the server made of each: [{path, id, outcome, ...}]."""
        flags = ["--device", device] + (["--wait"] if wait else [])
        return self.json("upload", *flags, *paths)

    def info(self, crash):
        return self.json("info", crash)[0]

    def analysed(self, crash, seconds=30):
        """info, once its facts are read."""
        def done():
            found = self.info(crash)
            return found if found.get("state") not in (None, "RECEIVED") else None
        return until(done, f"{crash} is analysed", seconds)

    def ids(self):
        """Every crash there is, newest first; the newest thousand."""
        return [crash["id"] for crash in self.json("list", "-n", "1000")]

    def ids_all(self):
        """Every crash there is, however many."""
        return [crash["id"] for crash in self.json("list", "-n", "1000000")]
