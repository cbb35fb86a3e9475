"""A device of the test's with an agent that runs on it."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

from tests.support import programs
from tests.support.server import until


class Device:
    """A device of the test's: a folder of crashes, a state folder, a configuration, and perhaps an agent that runs."""

    def __init__(self, root, name, ingest, extra="", upload=""):
        self.root = pathlib.Path(root) / name
        self.crashes = self.root / "crashes"
        self.crashes.mkdir(parents=True)
        self.config = self.root / "collector.conf"
        self.log = self.root / "agent.log"
        self.name = name
        self.process = None
        self.configure(ingest, extra, upload)

    def configure(self, ingest, extra="", upload="", named=True):
        """`ingest` is one address or several; without `named` the certificate in `extra` says whose crashes these are."""
        self.extra = extra
        servers = "\n".join(f'server: "{each}"' for each in ([ingest] if isinstance(ingest, str) else ingest))
        self.config.write_text(f"""
{servers}
{f'device: "{self.name}"' if named else ""}
state_dir: "{self.root}/state"
source {{ path: "{self.crashes}" settle: "1s" patience: "2s" }}
spool {{ min_free_bytes: "1M" min_free_inodes: 1 max_bytes: "1G" }}
upload {{ interval: "1s" start_jitter: 0 max_delay: "1s" {upload} }}
metrics_file: "{self.root}/corefleet.prom"
{extra}
""")

    def run(self, verb, *arguments, timeout=120):
        return programs.run(programs.COLLECTOR, verb, "--config", self.config, *arguments, timeout=timeout)

    def start(self, **environment):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(programs.COLLECTOR), "agent", "--config", str(self.config)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **environment})
        return self

    def stop(self):
        """SIGTERM; gives back how many seconds it took."""
        began = time.monotonic()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        return time.monotonic() - began

    def kill(self):
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(20)

    def status(self):
        outcome = self.run("status", "--json")
        if outcome.code != 0:
            raise AssertionError(repr(outcome))
        return json.loads(outcome.text)

    def wait_empty(self, sent=1, seconds=60):
        """Until the spool is empty and `sent` crashes are stored."""
        def done():
            status = self.status()
            stored = status["uploads"].get("stored", 0) + status["uploads"].get("already_stored", 0)
            return status if status["spool"]["entries"] == 0 and stored >= sent else None
        try:
            return until(done, f"{sent} crashes sent", seconds, every=0.2)
        except AssertionError as failed:
            raise AssertionError(f"{failed}\n{self.status()}\n{self.log.read_text()[-3000:]}") from None

    def peak_kb(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1])
