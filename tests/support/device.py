"""A device that speaks the ingest port's own language, message by message, as the agent does and as it does not."""

import hashlib
import importlib
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import grpc

from tests.support.programs import REPOSITORY

CHUNK = 65536


def messages():
    """The generated modules (ingest_pb2, error_details_pb2), made once a process."""
    if not hasattr(messages, "made"):
        folder = tempfile.TemporaryDirectory(prefix="corefleet-proto-")
        messages.folder = folder
        protos = ["corefleet/v1/ingest.proto", "google/rpc/error_details.proto"]
        subprocess.run(["protoc", "-I", "proto", f"--python_out={folder.name}", *protos], cwd=REPOSITORY, check=True)
        # google.rpc comes from here and google.protobuf from Debian: one package, two folders.
        sys.path.insert(0, folder.name)
        package = importlib.import_module("google")
        package.__path__ = [*package.__path__, str(pathlib.Path(folder.name) / "google")]
        messages.made = (importlib.import_module("corefleet.v1.ingest_pb2"),
                         importlib.import_module("google.rpc.error_details_pb2"))
    return messages.made


class Refused(Exception):
    """What the server said: status code, reason, rule, limit, delay in seconds (None: for good), pushback in ms."""

    def __init__(self, error):
        _, details = messages()
        self.code = error.code()
        self.message = error.details()
        trailers = dict(error.trailing_metadata() or ())
        self.pushback_ms = int(trailers["grpc-retry-pushback-ms"]) if "grpc-retry-pushback-ms" in trailers else None
        self.reason = self.rule = self.limit = self.delay = None
        status = details.Status.FromString(trailers.get("grpc-status-details-bin", b""))
        for any_detail in status.details:
            info, retry = details.ErrorInfo(), details.RetryInfo()
            if any_detail.Unpack(info):
                assert info.domain == "corefleet", info
                self.reason = info.reason
                self.rule, self.limit = info.metadata.get("rule"), info.metadata.get("limit")
            elif any_detail.Unpack(retry):
                self.delay = retry.retry_delay.ToTimedelta().total_seconds()
        super().__init__(f"{self.code}: {self.reason}: {self.message} (rule {self.rule}, {self.delay} s)")


def random_crash(log_bytes=3000, other_bytes=0):
    """Regions (name, id, bytes): a log as meminspect has it, and memory that the log does not need."""
    regions = [("Kprb_data", 25, os.urandom(log_bytes)), ("Klinux_ba", 11, b"Linux version 6.1.0-e2e\n\0")]
    if other_bytes:
        regions.append(("Kunknown", 44, os.urandom(other_bytes)))
    return regions


def chunks_of(content):
    return [content[at:at + CHUNK] for at in range(0, len(content), CHUNK)]


class Device:
    """One device's calls to `address`. Every call raises Refused when its status is not OK."""

    def __init__(self, address, name, certificate=None, root=None):
        """`certificate` is the stem of a certificate's and key's files, `root` who signed the server's; without, plaintext."""
        self.pb, _ = messages()
        self.name = name
        # Connections are shared by channels with the same options, but not by those with a pool of their own.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.ssl_target_name_override", "localhost")]
        if certificate:
            read = [pathlib.Path(file).read_bytes() for file in (root, f"{certificate}.key", f"{certificate}.crt")]
            self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(*read), options)
        else:
            self.channel = grpc.insecure_channel(address)

    def close(self):
        self.channel.close()

    def open_stream(self):
        """An upload's stream that says nothing; cancel() ends it."""
        silent = threading.Event()
        stream = self._method("PutChunks", "stream_stream")(iter(silent.wait, True))
        stream.add_callback(silent.set)
        return stream

    def _method(self, name, kind="unary_unary"):
        request, response = getattr(self.pb, f"{name}Request"), getattr(self.pb, f"{name}Response")
        return getattr(self.channel, kind)(f"/corefleet.v1.CrashIngest/{name}",
                                           request_serializer=request.SerializeToString,
                                           response_deserializer=response.FromString)

    def _call(self, name, request):
        try:
            return self._method(name)(request, timeout=30)
        except grpc.RpcError as error:
            raise Refused(error) from error

    def begin(self, regions, hints=None, lost=None, epoch="1"):
        """Offers a crash; `hints` by CrashHints' names, `lost` by reason."""
        request = self.pb.BeginCrashRequest(device=self.name)
        for name, number, content in regions:
            digests = b"".join(hashlib.sha256(chunk).digest() for chunk in chunks_of(content))
            request.regions.add(kind=self.pb.MEMORY, file_name=f"md_{name}{number}.BIN".encode(), name=name.encode(),
                                id=number, size=len(content), root=hashlib.sha256(digests).digest())
        for key, value in (hints or {}).items():
            setattr(request.hints, key, value)
        for reason, count in (lost or {}).items():
            request.account.epoch = epoch
            request.account.lost.add(reason=reason, count=count)
        return self._call("BeginCrash", request)

    def send(self, begun, regions):
        """Sends what `begun` says is missing; gives back how many chunks were acknowledged."""
        return self.send_ranges(begun.session, regions, begun.missing)

    def send_ranges(self, session, regions, ranges):
        """Sends the chunks of these ChunkRanges; gives back how many were acknowledged."""
        def requests():
            yield self.pb.PutChunksRequest(session=session)
            for missing in ranges:
                for index in range(missing.first, missing.first + missing.count):
                    payload = chunks_of(regions[missing.region][2])[index]
                    request = self.pb.PutChunksRequest(flush=True)
                    request.chunks.add(region=missing.region, chunk=index, raw_size=len(payload),
                                       crc32c=crc32c(payload), sha256=hashlib.sha256(payload).digest(),
                                       payload=payload)
                    yield request
        try:
            answers = self._method("PutChunks", "stream_stream")(requests(), timeout=60)
            return sum(each.count for answer in answers for each in answer.durable)
        except grpc.RpcError as error:
            raise Refused(error) from error

    def finish(self, session):
        return self._call("FinishCrash", self.pb.FinishCrashRequest(session=session))

    def bring(self, regions, **offer):
        """Begin, send and finish; the crash's id."""
        begun = self.begin(regions, **offer)
        self.send(begun, regions)
        return self.finish(begun.session).crash


def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = _crc32c_table()


def crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF
