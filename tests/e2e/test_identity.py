"""Who may do what: certificates, tokens and roles against a real server, and certificates that change under it."""

import os
import pathlib
import re
import socket
import ssl
import tempfile
import threading
import unittest
import urllib.request

import grpc

from tests.support import corpus, http2, programs
from tests.support.certificates import Certificates
from tests.support.device import Device, Refused, random_crash
from tests.support.server import Server, until


def metric(server, name, **labels):
    """The value of a sample of /metrics; 0 when it is not there."""
    text = urllib.request.urlopen(f"http://{server.addresses['http']}/metrics", timeout=10).read().decode()
    for line in text.splitlines():
        if line.startswith(name) and all(f'{key}="{value}"' in line for key, value in labels.items()):
            return float(line.split()[-1])
    return 0.0


class Identified(unittest.TestCase):
    """A server with TLS on both ports, a crash of pixel-7 in it, and people and devices of every kind."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="corefleet-identity-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.certificates = Certificates()
        cls.addClassCleanup(cls.certificates.close)
        issue = cls.certificates.issue
        cls.pixel7, cls.pixel8 = issue("device", "pixel-7"), issue("device", "pixel-8")
        cls.gateway = issue("gateway", "lab")
        cls.viewer, cls.engineer = issue("viewer", "ann"), issue("engineer", "bob")
        cls.viewer_token = cls.certificates.token("carl", "viewer")
        cls.engineer_token = cls.certificates.token("dora", "engineer")
        cls.server = Server(flags=cls.certificates.server_flags(tokens=True))
        cls.addClassCleanup(cls.server.close)
        cls.server.start()
        cls.case = corpus.case("a47-null-oops")
        cls.folder = corpus.write_folder(cls.case.files, cls.scratch.name, "crash")
        cls.crash = cls.uploaded(cls.folder, cls.pixel7, "pixel-7")

    @classmethod
    def run_as(cls, *arguments, timeout=60, **who):
        environment = {**cls.server.environment(), **cls.certificates.environment(**who)}
        return programs.run(programs.COREFLEET, *arguments, env=environment, timeout=timeout)

    @classmethod
    def upload_as(cls, folder, device, name):
        return cls.run_as("upload", "--json", "--device", name, folder, device=device)

    @classmethod
    def uploaded(cls, folder, device, name):
        outcome = cls.upload_as(folder, device, name)
        if outcome.code != 0:
            raise AssertionError(repr(outcome))
        return programs.json_lines(outcome.out)[0]["id"]

    def variant(self, number):
        files, _ = corpus.variant(self.case, number)
        return corpus.write_folder(files, self.scratch.name, f"crash-{number}")

    def assert_refused(self, outcome, *words):
        self.assertNotEqual(outcome.code, 0, repr(outcome))
        for word in words:
            self.assertIn(word, outcome.error + outcome.text)


class Devices(Identified):
    def test_a_device_uploads_in_its_own_name(self):
        info = programs.json_lines(self.run_as("info", "--json", self.crash, engineer=self.viewer).out)[0]
        self.assertEqual(info["device"], "pixel-7")

    def test_a_device_cannot_upload_in_anothers_name(self):
        self.assert_refused(self.upload_as(self.variant(1), self.pixel8, "pixel-7"), "pixel-8")

    def test_a_gateway_uploads_for_others(self):
        crash = self.uploaded(self.variant(2), self.gateway, "pixel-9")
        info = programs.json_lines(self.run_as("info", "--json", crash, engineer=self.viewer).out)[0]
        self.assertEqual(info["device"], "pixel-9")

    def test_without_a_certificate_nothing_is_taken_and_the_reason_is_said(self):
        outcome = self.run_as("upload", "--json", "--device", "pixel-7", self.folder)
        self.assertEqual(outcome.code, 3, repr(outcome))
        self.assert_refused(outcome, "wants a client certificate")

    def test_a_stranger_is_refused_and_told(self):
        strangers = Certificates()
        self.addCleanup(strangers.close)
        stranger = strangers.issue("device", "pixel-7")
        self.assert_refused(self.upload_as(self.folder, stranger, "pixel-7"), "does not take the client's certificate")

    def test_an_engineer_is_no_device(self):
        self.assert_refused(self.upload_as(self.folder, self.engineer, "pixel-7"),
                            "does not take the client's certificate")

    def test_an_expired_certificate_is_refused_and_told(self):
        expired = self.certificates.issue("device", "pixel-7-old", days=0)
        self.assert_refused(self.upload_as(self.folder, expired, "pixel-7-old"), "has expired")

    def test_plaintext_is_refused_and_told(self):
        outcome = self.server.cli("upload", "--json", self.folder)
        self.assertEqual(outcome.code, 3)
        self.assert_refused(outcome, "does it want TLS?")

    def test_a_certificate_has_sixteen_calls_at_a_time(self):
        """On whatever connections; and what one has too many of costs another nothing."""
        address, root = self.server.addresses["ingest"], self.certificates.path("devices-root.crt")

        def device(certificate, name):
            made = Device(address, name, certificate, root)
            self.addCleanup(made.close)
            return made

        one, again, other = (device(self.pixel7, "pixel-7"), device(self.pixel7, "pixel-7"), device(self.pixel8, "pixel-8"))
        streams = [each.open_stream() for each in (one, again) for _ in range(8)]

        def refused(which):
            try:
                which.bring(random_crash())
            except Refused as refusal:
                return refusal
            return None

        for which in (one, again):
            refusal = until(lambda which=which: refused(which), "sixteen calls are all", 20)
            self.assertEqual((refusal.code, refusal.reason, refusal.limit),
                             (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS", "calls_of_one"))
            self.assertTrue(1 <= refusal.delay <= 5, refusal)
        self.assertTrue(other.bring(random_crash()))
        streams[0].cancel()
        until(lambda: refused(one) is None, "the place of one that ended is free", 20)
        for stream in streams:
            stream.cancel()

    def test_the_client_believes_only_its_own_authority(self):
        """With the engineers' root in place of the devices' it must not send a byte."""
        environment = {**self.server.environment(), **self.certificates.environment(device=self.pixel7),
                       "COREFLEET_INGEST_TLS_CA": self.certificates.path("engineers-root.crt")}
        outcome = programs.run(programs.COREFLEET, "upload", self.folder, env=environment)
        self.assertEqual(outcome.code, 3)
        self.assert_refused(outcome, "was not signed by an authority in")

    def test_the_servers_name_counts(self):
        environment = {**self.server.environment(), **self.certificates.environment(device=self.pixel7),
                       "COREFLEET_TLS_SERVER_NAME": "other.example"}
        outcome = programs.run(programs.COREFLEET, "upload", self.folder, env=environment)
        self.assertEqual(outcome.code, 3)
        self.assert_refused(outcome, "is not for other.example")


class Engineers(Identified):
    def test_a_device_cannot_reach_the_archive(self):
        self.assert_refused(self.run_as("list", engineer=self.pixel7), "does not take the client's certificate")

    def test_nobody_reads_without_saying_who_he_is(self):
        self.assert_refused(self.run_as("list"), "neither a certificate nor a token")

    def test_a_viewer_reads_facts_and_logs_and_no_memory(self):
        for who in ({"engineer": self.viewer}, {"token": self.viewer_token}):
            self.assertEqual(self.run_as("list", **who).code, 0)
            self.assertEqual(self.run_as("info", self.crash, **who).code, 0)
            until(lambda who=who: self.run_as("log", self.crash, **who).code == 0, "the log is read")
            for words in (["fetch", self.crash, "-o", "-"], ["fetch", self.crash, "--as", "raw", "-o", "-"],
                          ["cat", self.crash, "KELF"], ["read", self.crash, "0x1000", "16", "--physical"]):
                self.assert_refused(self.run_as(*words, **who), "needs the role engineer")

    def test_an_engineer_reads_memory_and_leaves_a_line(self):
        for who, name in (({"engineer": self.engineer}, "bob"), ({"token": self.engineer_token}, "dora")):
            until(lambda who=who: self.run_as("fetch", self.crash, "-o", "-", **who).code == 0, "it is read")
            line = until(lambda name=name: [line for line in self.server.log().splitlines()
                                            if 'event="memory read"' in line and f"who={name}" in line],
                         "memory that was read is in the log")[0]
            self.assertIn(f"crash={self.crash}", line)
            self.assertIn("what=core", line)

    def test_a_token_of_nobody(self):
        path = pathlib.Path(self.scratch.name) / "token"
        path.write_text("f" * 64)
        self.assert_refused(self.run_as("list", token=str(path)), "the token is nobody's")

    def test_tokens_do_not_travel_in_plaintext(self):
        environment = {**self.server.environment(), "COREFLEET_TOKEN_FILE": self.viewer_token}
        self.assert_refused(programs.run(programs.COREFLEET, "list", env=environment), "tls_ca")


class Sessions(Identified):
    """Spoken by hand, because no client of ours would ask for another's session."""

    NOT_FOUND, PERMISSION_DENIED = 5, 7

    def context_of(self, who):
        context = ssl.create_default_context(cafile=self.certificates.path("devices-root.crt"))
        context.load_cert_chain(f"{who}.crt", f"{who}.key")
        context.set_alpn_protocols(["h2"])
        return context

    def call_as(self, who, method, *fields):
        return http2.unary(self.server.addresses["ingest"], b"/corefleet.v1.CrashIngest/" + method,
                           http2.protobuf(*fields), self.context_of(who))

    def begun(self, who):
        """The id of a session of `who`."""
        region = http2.protobuf((1, 1), (2, b"md_KTEST.BIN"), (3, b"KTEST"), (7, 4096), (8, os.urandom(32)))
        status, answer = self.call_as(who, b"BeginCrash", (2, region))
        self.assertEqual(status, 0)
        return re.search(rb"[0-9a-f]{32}", answer).group().decode()

    def test_a_session_is_its_devices_alone(self):
        session = self.begun(self.pixel7)
        for method in (b"GetSession", b"FinishCrash"):
            self.assertEqual(self.call_as(self.pixel8, method, (1, session))[0], self.NOT_FOUND, method)
        self.call_as(self.pixel8, b"AbandonCrash", (1, session))  # says OK of sessions that are not there, too
        chunk = http2.protobuf((1, session), (2, http2.protobuf((1, 0), (2, 0), (3, 4096))))
        self.assertEqual(http2.unary(self.server.addresses["ingest"], b"/corefleet.v1.CrashIngest/PutChunks", chunk,
                                     self.context_of(self.pixel8))[0], self.NOT_FOUND)
        self.assertEqual(self.call_as(self.pixel7, b"GetSession", (1, session))[0], 0, "it is there, for its own device")
        self.assertEqual(self.call_as(self.gateway, b"GetSession", (1, session))[0], 0, "and for a gateway")

    def test_no_message_makes_a_device_another(self):
        region = http2.protobuf((1, 1), (2, b"md_KTEST.BIN"), (3, b"KTEST"), (7, 4096), (8, os.urandom(32)))
        self.assertEqual(self.call_as(self.pixel8, b"BeginCrash", (1, "pixel-7"), (2, region))[0],
                         self.PERMISSION_DENIED)


class Versions(Identified):
    def handshake(self, port, version):
        """The negotiated version, or the error."""
        host, number = self.server.addresses[port].rsplit(":", 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(f"{self.pixel7}.crt", f"{self.pixel7}.key")
        context.set_alpn_protocols(["h2"])
        with socket.create_connection((host, int(number)), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                return tls.version()

    def test_only_tls_1_3(self):
        for port in ("ingest", "archive"):
            self.assertEqual(self.handshake(port, ssl.TLSVersion.TLSv1_3), "TLSv1.3")
            with self.assertRaises((ssl.SSLError, ConnectionError), msg=port):
                self.handshake(port, ssl.TLSVersion.TLSv1_2)


class Rotation(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="corefleet-rotation-")
        self.addCleanup(self.scratch.cleanup)
        self.certificates = Certificates()
        self.addCleanup(self.certificates.close)
        self.device = self.certificates.issue("device", "pixel-7")
        self.viewer = self.certificates.issue("viewer", "ann")
        self.token = self.certificates.token("carl", "viewer")
        self.server = Server(flags=self.certificates.server_flags(tokens=True))
        self.addCleanup(self.server.close)
        self.server.start()

    def run_as(self, *arguments, **who):
        environment = {**self.server.environment(), **self.certificates.environment(**who)}
        return programs.run(programs.COREFLEET, *arguments, env=environment)

    def reloads(self, what, outcome):
        return metric(self.server, "corefleet_reloads_total", what=what, outcome=outcome)

    def served_serial(self):
        host, number = self.server.addresses["archive"].rsplit(":", 1)
        pem = ssl.get_server_certificate((host, int(number)), timeout=10)
        return ssl.PEM_cert_to_DER_cert(pem)

    def test_certificates_change_under_running_uploads(self):
        """One upload after the other, while every file is exchanged again and again, and no upload fails."""
        case = corpus.case("a47-null-oops")
        failures, done = [], threading.Event()
        folders = [corpus.write_folder(corpus.variant(case, n)[0], self.scratch.name, f"crash-{n}") for n in range(1, 13)]

        def upload_all():
            for folder in folders:
                outcome = self.run_as("upload", "--device", "pixel-7", folder, device=self.device)
                # Certificate and key are two files: who reads them between the two exchanges is told so, and asks again.
                while outcome.code == 2 and "is not that of the certificate" in outcome.error:
                    outcome = self.run_as("upload", "--device", "pixel-7", folder, device=self.device)
                if outcome.code != 0:
                    failures.append(repr(outcome))
            done.set()

        sender = threading.Thread(target=upload_all)
        sender.start()
        before = self.served_serial()
        exchanged = 0
        while not done.is_set() or exchanged < 2:
            self.certificates.run("servers")
            self.certificates.issue("device", "pixel-7")
            exchanged += 1
            until(lambda n=exchanged: self.reloads("ingest_tls", "loaded") >= n, "the server sees new certificates")
        sender.join(120)
        self.assertEqual(failures, [])
        until(lambda: self.served_serial() != before, "new connections see the new certificate")
        listed = self.run_as("list", "--json", "-n", "1000", engineer=self.viewer)
        self.assertEqual(len(programs.json_lines(listed.out)), len(folders))

    def test_broken_files_are_said_and_not_taken(self):
        before = self.served_serial()
        good = pathlib.Path(self.certificates.path("archive.crt")).read_bytes()
        pathlib.Path(self.certificates.path("archive.crt")).write_bytes(good[: len(good) // 2])
        pathlib.Path(self.certificates.path("tokens")).write_text("carl:boss:1\n")
        until(lambda: self.reloads("archive_tls", "refused") >= 1, "the broken certificate is counted")
        until(lambda: self.reloads("archive_tokens", "refused") >= 1, "the broken tokens are counted")
        self.assertEqual(self.served_serial(), before)
        self.assertEqual(self.run_as("list", engineer=self.viewer).code, 0)
        self.assertEqual(self.run_as("list", token=self.token).code, 0)
        self.assertIn("changed files make no sense", self.server.log())

    def test_a_token_that_was_taken_out_is_worth_nothing(self):
        self.assertEqual(self.run_as("list", token=self.token).code, 0)
        pathlib.Path(self.certificates.path("tokens")).write_text("")
        until(lambda: self.run_as("list", token=self.token).code != 0, "the token is forgotten")

    def test_a_root_that_was_taken_out_is_believed_no_more(self):
        root = pathlib.Path(self.certificates.path("devices-root.crt"))
        old = pathlib.Path(self.scratch.name) / "old-root.crt"
        old.write_text(root.read_text())  # the server's own certificate goes on being of the old root
        folder = corpus.write_folder(corpus.case("a47-null-oops").files, self.scratch.name, "crash")
        environment = {**self.server.environment(), **self.certificates.environment(device=self.device),
                       "COREFLEET_INGEST_TLS_CA": str(old)}
        upload = (programs.COREFLEET, "upload", "--device", "pixel-7", folder)
        self.assertEqual(programs.run(*upload, env=environment).code, 0)
        others = Certificates()
        self.addCleanup(others.close)
        root.write_text(pathlib.Path(others.path("devices-root.crt")).read_text())
        until(lambda: self.reloads("ingest_tls", "loaded") >= 1, "the new root is read")
        outcome = programs.run(*upload, env=environment)
        self.assertEqual(outcome.code, 3, repr(outcome))
        self.assertIn("does not take the client's certificate", outcome.error)


class Starting(unittest.TestCase):
    def refused(self, *flags):
        with tempfile.TemporaryDirectory(prefix="corefleet-starting-") as folder:
            outcome = programs.run(programs.COREFLEETD, f"--data_dir={folder}/data", "--http_address=127.0.0.1:0",
                                   *flags, timeout=60)
            self.assertNotEqual(outcome.code, 0)
            return outcome.error

    def test_other_machines_need_tls_or_as_many_words(self):
        self.assertIn("--insecure", self.refused("--ingest_address=0.0.0.0:0"))
        self.assertIn("--archive_cert", self.refused("--archive_address=0.0.0.0:0"))

    def test_files_that_make_no_sense_do_not_start_a_server(self):
        certificates = Certificates()
        self.addCleanup(certificates.close)
        flags = certificates.server_flags()
        pathlib.Path(certificates.path("ingest.key")).write_text(
            pathlib.Path(certificates.path("archive.key")).read_text())
        self.assertIn("the private key is not the certificate", self.refused(*flags))
        pathlib.Path(certificates.path("ingest.key")).unlink()
        self.assertIn("ingest.key", self.refused(*flags))


del Identified  # a base, not a suite


if __name__ == "__main__":
    unittest.main()
