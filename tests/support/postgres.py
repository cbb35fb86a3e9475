"""A PostgreSQL cluster of the test's own, for corefleetd's --database: one that a test may stop and kill."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")


class Cluster:
    """Socket only, in a temporary folder; run as `postgres` when we are root, which PostgreSQL refuses."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-pg-"))
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "--pgdata", self.folder / "data", "--auth=trust", "--no-sync", "--username=corefleet")
        self.start()
        self._run("createdb", "--host", self.folder, "--username=corefleet", "corefleet")

    @property
    def uri(self):
        return f"host={self.folder} user=corefleet dbname=corefleet"

    def _run(self, program, *arguments):
        command = [str(part) for part in (BIN / program, *arguments)]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", "--", *command]
        # pg_ctl's server keeps its standard output for ever: a pipe would never end.
        with open(self.folder / f"{program}.log", "ab") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
                                  cwd=self.folder)
        if done.returncode != 0:
            raise AssertionError(f"{program}: {(self.folder / f'{program}.log').read_text(errors='replace')[-2000:]}")

    def start(self):
        self._run("pg_ctl", "start", "--wait", "--pgdata", self.folder / "data", "--log", self.folder / "server.log",
                  "--options", f"-c listen_addresses='' -c unix_socket_directories='{self.folder}'")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "stop", "--wait", "--mode", mode, "--pgdata", self.folder / "data")

    def pids(self):
        """The server's processes; none when it is down."""
        try:
            first = int((self.folder / "data/postmaster.pid").read_text().split("\n")[0])
            children = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split()
        except (FileNotFoundError, ValueError):
            return []
        return [first, *map(int, children)]

    def sql(self, statement):
        """The first column of what psql prints."""
        return subprocess.run([BIN / "psql", "-XAtq", self.uri, "-c", statement], capture_output=True, text=True,
                              check=True).stdout.split("\n")[:-1]

    def close(self):
        try:
            self.stop("immediate")
        except AssertionError:
            pass  # stopped already, by the test
        shutil.rmtree(self.folder, ignore_errors=True)
