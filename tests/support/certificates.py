"""The lab authorities of deploy/certificates, and what programs need to use them."""

import pathlib
import shutil
import tempfile

from tests.support import programs

SCRIPT = programs.REPOSITORY / "deploy/certificates"


class Certificates:
    """Both roots and both ports' certificates in a folder of its own; close() removes it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-certificates-"))
        self.run("init")

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, command, *operands, days=None):
        flags = ["--days", str(days)] if days is not None else []
        outcome = programs.run(SCRIPT, *flags, command, self.folder, *operands)
        if outcome.code != 0:
            raise AssertionError(repr(outcome))
        return outcome.text.strip()

    def path(self, name):
        return str(self.folder / name)

    def issue(self, kind, name, days=None):
        """The stem of a new certificate's files: of a device, gateway, viewer, engineer or admin."""
        self.run(kind, name, days=days)
        return self.path(f"{kind}-{name}")

    def token(self, name, role):
        """A file that holds a new token."""
        token = self.run("token", name, role)
        path = self.folder / f"token-{name}"
        path.write_text(token + "\n")
        return str(path)

    def server_flags(self, tokens=False):
        """corefleetd's, for TLS on both ports."""
        flags = []
        for port, root in (("ingest", "devices"), ("archive", "engineers")):
            flags += [f"--{port}_cert={self.path(port)}.crt", f"--{port}_key={self.path(port)}.key",
                      f"--{port}_client_roots={self.path(root)}-root.crt"]
        return flags + ([f"--archive_tokens={self.path('tokens')}"] if tokens else [])

    def environment(self, engineer=None, device=None, token=None):
        """What makes the command line speak TLS, as `engineer` and `device` (stems of issue())."""
        environment = {"COREFLEET_TLS_CA": self.path("engineers-root.crt"),
                       "COREFLEET_INGEST_TLS_CA": self.path("devices-root.crt")}
        if engineer:
            environment |= {"COREFLEET_TLS_CERT": f"{engineer}.crt", "COREFLEET_TLS_KEY": f"{engineer}.key"}
        if device:
            environment |= {"COREFLEET_INGEST_TLS_CERT": f"{device}.crt", "COREFLEET_INGEST_TLS_KEY": f"{device}.key"}
        if token:
            environment["COREFLEET_TOKEN_FILE"] = token
        return environment
