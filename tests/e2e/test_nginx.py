"""The proxy that deploy/nginx recommends, run as it is there: only addresses and paths are put in its files."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

from tests.support import corpus, programs
from tests.support.certificates import Certificates
from tests.support.server import Server, until

FOLDER = programs.REPOSITORY / "deploy/nginx"
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Nginx:
    """nginx in a folder of its own, with the text of `name` in the context it is for, after `replacements`."""

    def __init__(self, name, replacements):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-nginx-"))
        text = (FOLDER / name).read_text()
        for before, after in replacements.items():
            if not re.search(before, text):
                raise AssertionError(f"{name} has no {before}")
            text = re.sub(before, str(after), text)
        context = text
        if not name.startswith("devices"):
            paths = "".join(f"{kind}_temp_path {self.folder}/{kind};\n" for kind in TEMPORARY)
            context = f"http {{\n{paths}access_log off;\n{text}\n}}\n"
        user = "user root;\n" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(
            f"load_module {STREAM_MODULE};\n{user}daemon off;\nmaster_process on;\nworker_processes 1;\n"
            f"worker_rlimit_nofile 4096;\npid {self.folder}/pid;\nerror_log {self.folder}/error.log warn;\n"
            f"events {{ worker_connections 2048; }}\n{context}")
        self.process = None

    def start(self, port):
        self.process = subprocess.Popen(
            [programs.tool("nginx"), "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.listens(port) or self.process.poll() is not None, "nginx listens")
        if self.process.poll() is not None:
            raise AssertionError(self.log())
        return self

    @staticmethod
    def listens(port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            return False

    def log(self):
        path = self.folder / "error.log"
        return path.read_text() if path.exists() else ""

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxied(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="corefleet-proxied-")
        self.addCleanup(self.scratch.cleanup)
        self.certificates = Certificates()
        self.addCleanup(self.certificates.close)
        files, self.core = corpus.variant(corpus.case("a47-null-oops"), 1)
        self.folder = corpus.write_folder(files, self.scratch.name, "crash")

    def serve(self, flags):
        server = Server(flags=flags)
        self.addCleanup(server.close)
        return server.start()

    def proxy(self, name, replacements, port):
        nginx = Nginx(name, replacements)
        self.addCleanup(nginx.close)
        return nginx.start(port)


class Devices(Proxied):
    def setUp(self):
        super().setUp()
        self.device = self.certificates.issue("device", "pixel-7")
        self.viewer = self.certificates.issue("viewer", "ann")
        self.server = self.serve(self.certificates.server_flags())
        self.port = free_port()
        self.nginx = self.proxy("devices.conf", {r"listen 7443": f"listen 127.0.0.1:{self.port}",
                                                 r"127\.0\.0\.1:7443": self.server.addresses["ingest"],
                                                 r"/var/log/nginx/\S+ ": f"{self.scratch.name}/access.log "}, self.port)

    def upload(self, device, name="pixel-7"):
        environment = {**self.server.environment(),
                       **self.certificates.environment(engineer=self.viewer, device=device),
                       "COREFLEET_INGEST": f"127.0.0.1:{self.port}"}
        return programs.run(programs.COREFLEET, "upload", "--json", "--device", name, self.folder, env=environment)

    def test_a_devices_name_comes_through(self):
        outcome = self.upload(self.device)
        self.assertEqual(outcome.code, 0, repr(outcome))
        environment = {**self.server.environment(), **self.certificates.environment(engineer=self.viewer)}
        listed = programs.run(programs.COREFLEET, "list", "--json", env=environment)
        self.assertEqual([crash["device"] for crash in programs.json_lines(listed.out)], ["pixel-7"])
        self.assertNotEqual(self.upload(self.device, "pixel-8").code, 0, "in another device's name")

    def test_without_a_certificate_nothing_passes(self):
        self.assertNotEqual(self.upload(None).code, 0)

    def test_one_address_has_only_so_many_connections(self):
        idle = [socket.create_connection(("127.0.0.1", self.port), timeout=5) for _ in range(80)]
        try:
            until(lambda: "limiting connections by zone" in self.nginx.log(), "nginx refuses connections")
            self.assertNotEqual(self.upload(self.device).code, 0)
        finally:
            for connection in idle:
                connection.close()
        until(lambda: self.upload(self.device).code == 0, "connections are free again")


class Engineers(Proxied):
    def setUp(self):
        super().setUp()
        self.token = self.certificates.token("dora", "engineer")
        self.viewer_token = self.certificates.token("carl", "viewer")
        # No TLS behind the proxy, and a token is asked for all the same.
        self.server = self.serve([f"--archive_tokens={self.certificates.path('tokens')}"])
        self.port = free_port()
        self.proxy("engineers.conf", {r"listen 7444": f"listen 127.0.0.1:{self.port}",
                                      r"127\.0\.0\.1:7444": self.server.addresses["archive"],
                                      r"/etc/corefleet": self.certificates.folder}, self.port)
        outcome = programs.run(programs.COREFLEET, "upload", "--json", "--device", "d", self.folder,
                               env=self.server.environment())
        self.crash = programs.json_lines(outcome.out)[0]["id"]

    def run_with(self, token, *arguments):
        environment = {**os.environ, **self.certificates.environment(token=token),
                       "COREFLEET_SERVER": f"127.0.0.1:{self.port}"}
        return programs.run(programs.COREFLEET, *arguments, env=environment)

    def test_a_token_comes_through_and_a_core_comes_back(self):
        def fetched():
            outcome = self.run_with(self.token, "fetch", self.crash, "--as", "concat", "-o", "-")
            return outcome.out if outcome.code == 0 else None
        self.assertEqual(until(fetched, "the core comes through the proxy"), self.core)
        outcome = self.run_with(self.viewer_token, "fetch", self.crash, "-o", "-")
        self.assertIn("needs the role engineer", outcome.error)

    def test_without_a_token_nobody_reads_by_any_way(self):
        self.assertNotEqual(self.run_with(None, "list").code, 0)
        self.assertNotEqual(self.server.cli("list").code, 0)


del Proxied  # a base, not a suite


if __name__ == "__main__":
    unittest.main()
