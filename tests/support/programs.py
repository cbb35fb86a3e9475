"""The programs under test and the tools that tests look with.

Everything here is Python's standard library and runs under Debian's /usr/bin/python3.
"""

import json
import os
import pathlib
import shutil
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# Where Bazel put the programs; tests/run sets it, because bazel-bin may belong to another build by now.
BAZEL_BIN = pathlib.Path(os.environ.get("COREFLEET_BAZEL_BIN", REPOSITORY / "bazel-bin"))
COREFLEETD = BAZEL_BIN / "server/corefleetd"
COREFLEET = BAZEL_BIN / "cli/corefleet"
COLLECTOR = BAZEL_BIN / "collector/corefleet-collector"
# The same for arm64 devices: bazel build --config=arm64.
COLLECTOR_ARM64 = pathlib.Path(os.environ.get("COREFLEET_BAZEL_BIN_ARM64", REPOSITORY / "bazel-bin")) / \
    "collector/corefleet-collector"


def tools_dir():
    """Where deploy/setup --test unpacks tools that it does not install."""
    if os.environ.get("COREFLEET_TOOLS"):
        return pathlib.Path(os.environ["COREFLEET_TOOLS"])
    if os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "corefleet/tools"
    if os.environ.get("HOME"):
        return pathlib.Path(os.environ["HOME"]) / ".cache/corefleet/tools"
    return pathlib.Path(f"/var/tmp/corefleet-tools-{os.geteuid()}")


def tool(name, package=None, path=None):
    """An installed tool, or the unpacked one of `package` at `path` in it. Fails the test that needs it."""
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        if (found := pathlib.Path(folder) / name).exists():
            return str(found)
    if package and (found := tools_dir() / package / path).exists():
        return str(found)
    raise AssertionError(f"{name} is not here: run deploy/setup --test")


def qemu_aarch64():
    """Runs arm64 programs on this machine."""
    for name in ("qemu-aarch64", "qemu-aarch64-static"):
        if found := shutil.which(name):
            return found
    raise AssertionError("qemu-aarch64 is not here: run deploy/setup --test")


class Outcome:
    """How a program ended: `code`, `out` and `err` (bytes)."""

    def __init__(self, arguments, completed):
        self.arguments = [str(a) for a in arguments]
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    @property
    def text(self):
        return self.out.decode("utf-8", "replace")

    @property
    def error(self):
        return self.err.decode("utf-8", "replace")

    def __repr__(self):
        return f"{' '.join(self.arguments)}: exit {self.code}\nstdout: {self.text[-2000:]}\nstderr: {self.error[-2000:]}"


def json_lines(out):
    """The messages of a command with --json, one a line."""
    return [json.loads(line) for line in out.splitlines() if line.strip()]


def run(*arguments, timeout=120, env=None, stdin=b"", cwd=None):
    """Runs a program to its end and says how that was. A hang is a failure."""
    completed = subprocess.run([str(a) for a in arguments], input=stdin, capture_output=True, timeout=timeout,
                               env=env, cwd=cwd, check=False)
    return Outcome(arguments, completed)
