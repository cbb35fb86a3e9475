"""HTTP/2 by hand: frames that no library would send."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def integer(value, bits, first=0):
    """HPACK's, in its shortest form."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def text(value):
    return integer(len(value), 7) + value


def literal(name, value):
    """A header that does not enter the table."""
    return b"\x00" + text(name) + text(value)


def indexed_literal(name, value):
    """A header that does."""
    return b"\x40" + text(name) + text(value)


def call(path, *more, te=b"trailers"):
    """The header block of a gRPC call."""
    return b"".join([literal(b":method", b"POST"), literal(b":scheme", b"http"), literal(b":path", path),
                     literal(b":authority", b"corefleet"), literal(b"te", te),
                     literal(b"content-type", b"application/grpc"), *more])


def headers(stream, block, flags=0, piece=16384):
    """A header block as HEADERS and as many CONTINUATIONs as it takes."""
    pieces = [block[at:at + piece] for at in range(0, len(block), piece)] or [b""]
    frames = []
    for number, part in enumerate(pieces):
        last = END_HEADERS if number == len(pieces) - 1 else 0
        frames.append(frame(CONTINUATION if number else HEADERS, last | (0 if number else flags), stream, part))
    return b"".join(frames)


class Connection:
    """A connection that has said `greeting`. Whatever the other end does, send() and drain() do not fail."""

    def __init__(self, address, greeting=PREFACE + frame(SETTINGS, 0, 0), tls=None):
        """`tls`: an ssl.SSLContext."""
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.alive = True
        self.send(greeting)

    def send(self, data):
        """False when the other end has hung up."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.alive = False
        return self.alive

    def drain(self, seconds=0.2):
        """What came, until nothing comes for so long."""
        got = b""
        self.socket.settimeout(seconds)
        try:
            while piece := self.socket.recv(65536):
                got += piece
            self.alive = False
        except TimeoutError:
            pass
        except OSError:
            self.alive = False
        self.socket.settimeout(10)
        return got

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def frames_of(data):
    """(kind, flags, stream, payload) of each whole frame."""
    found = []
    while len(data) >= 9:
        length = int.from_bytes(data[:3], "big")
        if len(data) < 9 + length:
            break
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + length]))
        data = data[9 + length:]
    return found


def protobuf(*fields):
    """A message of (number, value): bytes, text or a number each."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value if isinstance(value, bytes) else value.encode()
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def unary(address, path, message, tls=None):
    """Calls a method on a connection of its own; (grpc-status, the answer's bytes)."""
    body = b"\0" + len(message).to_bytes(4, "big") + message
    with Connection(address, tls=tls) as connection:
        connection.send(headers(1, call(path)) + frame(DATA, END_STREAM, 1, body))
        answer, block = b"", b""
        for kind, _, stream, payload in frames_of(connection.drain(1)):
            answer += payload if stream == 1 and kind == DATA else b""
            block += payload if stream == 1 and kind == HEADERS else b""
    # The first headers of a connection are literal, and gRPC does not compress them.
    name = b"grpc-status"
    if (at := block.find(name)) < 0:
        raise AssertionError(f"no status in {block!r}")
    length = block[at + len(name)]
    return int(block[at + len(name) + 1:at + len(name) + 1 + length]), answer[5:]
