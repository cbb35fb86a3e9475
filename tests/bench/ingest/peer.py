"""corefleet's peers: each takes the same bytes over HTTP, as files or objects."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from tests.bench.ingest import machine, parts

HERE = pathlib.Path(__file__).resolve().parent / "peers"


class Peer:
    """A server in a temporary folder. Subclasses set `protocol`, `url`, `main_pids` and what they leave out."""

    name = ""
    protocol = "put"
    keys = ""
    does_not = ""   # what corefleet does for a crash and this does not

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix=f"corefleet-bench-{self.name}-", ignore_cleanup_errors=True)
        self.folder = pathlib.Path(self._folder.name)
        self.stored = self.folder / "stored"
        self.stored.mkdir()
        self.port = parts.free_port()
        self.uploads = 0

    def url(self, port=None):
        return f"http://127.0.0.1:{port or self.port}/"

    def pids(self):
        raise NotImplementedError

    def cpu(self):
        return sum(machine.cpu_of(pid) for pid in self.pids())

    def memory_mib(self):
        return sum(machine.memory_mib(pid) for pid in self.pids())

    def upload(self, *flags, sync=(), port=None, seconds=600):
        """Runs corefleet-put against it; its report and what the server spent."""
        before = self.cpu()
        self.uploads += 1
        report = parts.run_json([parts.PUT, f"--protocol={self.protocol}", f"--url={self.url(port)}",
                                 f"--corpus={parts.CORPUS}", f"--prefix=u{self.uploads}",
                                 *([f"--keys={self.keys}"] if self.keys else []), *sync, *flags], seconds)
        report["server_cpu_s"] = self.cpu() - before
        return report

    def stored_bytes(self):
        """What lies in the store's folder; None where only the store itself could say."""
        return sum(path.stat().st_size for path in self.stored.rglob("*") if path.is_file())

    def clear(self):
        """Forgets what was uploaded, so that the disk does not fill."""
        for path in self.stored.iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)

    def close(self):
        self._folder.cleanup()


def wait_for(url, what, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            if time.monotonic() > end:
                raise parts.Failed(f"{what} does not answer") from None
            time.sleep(0.1)


class Nginx(Peer):
    """nginx with WebDAV PUT: the ceiling of what a plain file server does."""

    name = "nginx"
    does_not = "digest, resume, index, authentication"

    def __init__(self):
        super().__init__()
        binary = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        if not binary:
            raise parts.Failed("nginx is not installed")
        (self.folder / "body").mkdir()
        (self.folder / "logs").mkdir()
        self.folder.chmod(0o755)
        configuration = self.folder / "nginx.conf"
        configuration.write_text(f"""
worker_processes 2;
pid {self.folder}/nginx.pid;
error_log {self.folder}/logs/error.log;
daemon off;
{"user root;" if parts.root() else ""}
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {self.folder}/body;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{self.port};
    location / {{ root {self.stored}; dav_methods PUT; create_full_put_path on; }}
  }}
}}
""")
        self.process = subprocess.Popen([*parts.SERVER_CORE, binary, "-p", self.folder, "-c", configuration],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.url(), self.name)

    def upload(self, *flags, sync=(), **options):
        return super().upload(*flags, sync=[*sync, f"--folder={self.stored}"] if sync else [], **options)

    def pids(self):
        return {self.process.pid} | machine.below(self.process.pid)

    def close(self):
        parts.stop(self.process)
        super().close()


class Tus(Peer):
    """@tus/server: the resumable standard."""

    name = "tus"
    protocol = "tus"
    does_not = "digest, index, authentication"

    def __init__(self, fsync=False):
        super().__init__()
        node = shutil.which("node")
        modules = tus_modules()
        if not node or not modules:
            raise parts.Failed("node or @tus/server is not installed")
        for file in ("tus_server.mjs", "package.json"):
            shutil.copy(HERE / file, self.folder / file)
        (self.folder / "node_modules").symlink_to(modules)
        environment = {**os.environ, "DIRECTORY": str(self.stored), "PORT": str(self.port),
                       "SYNC": "fsync" if fsync else ""}
        self.process, _ = parts.start_with_port([*parts.SERVER_CORE, node, self.folder / "tus_server.mjs"],
                                                env=environment, cwd=self.folder)

    def url(self, port=None):
        return f"http://127.0.0.1:{port or self.port}/files"

    def upload(self, *flags, sync=(), **options):
        return super().upload(*flags, sync=[*sync, f"--folder={self.stored}"] if sync else [], **options)

    def stored_bytes(self):
        # Beside each upload lies a small file about it.
        return sum(path.stat().st_size for path in self.stored.rglob("*") if path.is_file() and path.suffix != ".json")

    def pids(self):
        return {self.process.pid}

    def close(self):
        parts.stop(self.process)
        super().close()


def tus_modules():
    """node_modules with the pinned versions: installed once, by npm, into a folder of the user's cache."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "corefleet/tus"
    modules = cache / "node_modules"
    if (modules / "@tus/server").exists():
        return modules
    npm = shutil.which("npm")
    if not npm:
        return None
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", cache / "package.json")
    done = subprocess.run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=cache,
                          capture_output=True, check=False, timeout=300)
    return modules if done.returncode == 0 and (modules / "@tus/server").exists() else None


class Radosgw(Peer):
    """One-node Ceph with its S3 gateway: an object store that checks digests and syncs."""

    name = "radosgw"
    protocol = "s3"
    keys = "AK:SK"
    does_not = "resume of a single PUT, index by crash"

    def __init__(self, store):
        super().__init__()
        for program in ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin"):
            if not shutil.which(program):
                raise parts.Failed("radosgw is not installed")
        self.ceph = self.folder / "ceph"
        done = subprocess.run([*parts.SERVER_CORE, HERE / "ceph", "start", self.ceph, str(parts.free_port()), str(self.port), store],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              timeout=180, check=False)
        if done.returncode != 0:
            self.close()
            raise parts.Failed(f"radosgw does not start: {done.stderr[-500:]}")
        wait_for(f"http://127.0.0.1:{self.port}/", self.name)
        bucket = subprocess.run(["curl", "-s", "-f", "-X", "PUT", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", self.keys,
                                 "-H", f"x-amz-content-sha256: {EMPTY_SHA256}", f"http://127.0.0.1:{self.port}/crashes"],
                                capture_output=True, check=False, timeout=60)
        if bucket.returncode != 0:
            self.close()
            raise parts.Failed("radosgw makes no bucket")
        # The first objects take two seconds: Ceph makes its pools for them.
        self.upload("--plan=256K", "--devices=8", "--crashes=8", "--bodies=8")

    def url(self, port=None):
        return f"http://127.0.0.1:{port or self.port}/crashes/"

    def pids(self):
        return {int(path.read_text()) for path in self.ceph.glob("*.pid") if path.read_text().strip()}

    def stored_bytes(self):
        return None

    def clear(self):
        pass  # objects go with the cluster

    def close(self):
        pids = self.pids() if self.ceph.exists() else set()
        subprocess.run([HERE / "ceph", "stop", self.ceph], check=False, capture_output=True)
        end = time.monotonic() + 15
        while any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.1)
            if time.monotonic() > end:
                for pid in pids:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                end += 15
        super().close()


EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

# Every variant of every peer: (peer, how it is made durable, makes it, corefleet-put's flags, durable when acknowledged).
VARIANTS = (
    ("nginx", "not synced", Nginx, [], False),
    ("nginx", "fsync of file and folder", Nginx, ["--sync=fsync"], True),
    ("nginx", "syncfs", Nginx, ["--sync=syncfs"], True),
    ("tus", "not synced", Tus, [], False),
    ("tus", "fsync of file and folder", lambda: Tus(fsync=True), [], True),
    ("radosgw", "memstore, nothing durable", lambda: Radosgw("memory"), [], False),
    ("radosgw", "BlueStore, synced", lambda: Radosgw("disk"), [], True),
)
