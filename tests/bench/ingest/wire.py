"""B2 and B5: what travels, over a whole link and over one that is cut again and again."""

import os
import pathlib
import statistics
import subprocess
import tempfile
import time

from tests.bench.ingest import parts, peer
from tests.support import programs

PUT_PATIENCE = 20     # tries after which whoever begins anew each time is given up
TUS_PATIENCE = 3000
JITTER = 0.1


def bytes_on_wire(tls, settings):
    """B2: [{plan, tls, raw, up, down, crashes}]; counted by the link, so HTTP/2, TLS and its handshakes are in it."""
    rows = []
    for secured in (False, True):
        server = parts.Corefleet(tls if secured else None).start()
        try:
            for plan in ("real", "2M"):
                crashes = 20
                with parts.Link(server.port()) as link:
                    report = server.load(f"--plan={plan}", f"--crashes={crashes}", f"--bodies={crashes}", "--devices=1",
                                         "--reconnect", port=link.port)
                    counts = link.close()
                rows.append({"plan": plan, "tls": secured, "crashes": report["stored"], "raw": report["raw_bytes"],
                             "chunks": report["sent_bytes"], "up": counts["upstream_bytes"],
                             "down": counts["downstream_bytes"]})
        finally:
            server.close()
    return rows


class FlakyLink:
    """B5: one crash at a time over a link that is reset every so many bytes of the sender's."""

    def __init__(self, settings, wanted_peers):
        self.settings = settings
        self.wanted_peers = wanted_peers
        self.rows = []   # {who, grain (0: whole), up, seconds, complete, breaks}
        self.missing = {}
        self.number = 0

    def run(self):
        server = parts.Corefleet().start()
        others = {}
        for name, make in (("tus", peer.Tus), ("nginx", peer.Nginx)):
            if name in self.wanted_peers:
                try:
                    others[name] = make()
                except parts.Failed as why:
                    self.missing[name] = str(why)
        try:
            for grain in (0, *self.settings.grains):
                self._generator(server, grain)
                self._collector(server, grain)
                for name, each in others.items():
                    self._peer(name, each, grain)
        finally:
            for each in [server, *others.values()]:
                each.close()
        return self

    def _link(self, port, grain):
        self.number += 1
        return parts.Link(port, *([f"--cut_after={grain}", f"--jitter={JITTER}", f"--seed={self.number}"] if grain else []))

    def _generator(self, server, grain):
        """Three crashes, for what one break costs depends on where it falls."""
        rows = []
        for _ in range(3):
            with self._link(server.port(), grain) as link:
                report = server.load(f"--plan={self.settings.flaky_plan}", "--crashes=1", "--bodies=1", "--devices=1",
                                     f"--seed={self.number}", port=link.port)
                counts = link.close()
            rows.append((counts["upstream_bytes"], report["seconds"], report["stored"] == 1, report["breaks"]))
        self._row("corefleet-load", grain, statistics.mean(row[0] for row in rows), statistics.mean(row[1] for row in rows),
                  all(row[2] for row in rows), statistics.mean(row[3] for row in rows))

    def _collector(self, server, grain):
        """The real uploader, with files."""
        with tempfile.TemporaryDirectory(prefix="corefleet-bench-crash-") as folder:
            subprocess.run([parts.LOAD, f"--corpus={parts.CORPUS}", f"--plan={self.settings.flaky_plan}",
                            f"--seed={1000 + self.number}", f"--write_crash={folder}"], check=True)
            with self._link(server.port(), grain) as link:
                began = time.monotonic()
                done = programs.run(programs.COREFLEET, "upload", "--json", "--device", "bench", folder, timeout=300,
                                    env={**os.environ, "COREFLEET_INGEST": f"127.0.0.1:{link.port}"})
                seconds = time.monotonic() - began
                counts = link.close()
        self._row("corefleet upload", grain, counts["upstream_bytes"], seconds, done.code == 0, counts["cuts"])

    def _peer(self, name, each, grain):
        patience = TUS_PATIENCE if name == "tus" else PUT_PATIENCE
        with self._link(each.port, grain) as link:
            report = each.upload(f"--plan={self.settings.flaky_plan}", "--crashes=1", "--bodies=1", "--devices=1",
                                 f"--max_breaks={patience}", port=link.port)
            counts = link.close()
        self._row("tus" if name == "tus" else "plain PUT (nginx)", grain, counts["upstream_bytes"], report["seconds"],
                  report["stored"] == 1, report["breaks"])

    def _row(self, who, grain, up, seconds, complete, breaks):
        self.rows.append({"who": who, "grain": grain, "up": up, "seconds": seconds, "complete": complete, "breaks": breaks})

    def ratio(self, who, grain):
        """Bytes over the cut link by those over the whole one; None if it never came through."""
        found = {row["grain"]: row for row in self.rows if row["who"] == who}
        if grain not in found or 0 not in found or not found[grain]["complete"]:
            return None
        return found[grain]["up"] / found[0]["up"]
