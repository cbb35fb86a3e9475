"""What this machine could do at best: primitives measured in the same run, and the limit derived from them.

A server that takes a crash durably has to receive it (gRPC, TLS), check it (SHA-256, after inflating what came compressed), write
it and sync, and commit a row. The limit is the number of crashes a second at which these alone, with what the load generator itself
spends, fill all cores:

    limit = cores / (server CPU seconds a crash + client CPU seconds a crash)
"""

import os
import pathlib
import statistics
import subprocess
import tempfile

from tests.bench.ingest import machine, parts
from tests.support import postgres

GIB = 2**30

# The least that a crash's row can be: the crash with its manifest, its one pack with the pack's index, a request for analysis.
TABLES = """
CREATE TABLE crash (id uuid PRIMARY KEY, device text, received timestamptz, manifest bytea);
CREATE TABLE pack (id uuid PRIMARY KEY, crash uuid, place bigint, index bytea);
CREATE TABLE work (crash uuid PRIMARY KEY, due timestamptz);
CREATE INDEX ON crash (device, received);
"""
TRANSACTION = """
WITH c AS (INSERT INTO crash SELECT gen_random_uuid(), 'load-' || :client_id, now(),
                                    decode(repeat(md5(random()::text), 160), 'hex') RETURNING id),
     p AS (INSERT INTO pack SELECT gen_random_uuid(), id, 1, decode(repeat(md5(random()::text), 200), 'hex') FROM c)
INSERT INTO work SELECT id, now() FROM c;
"""


class Database:
    """A cluster of its own and the cheapest transaction that could record a crash."""

    def __init__(self):
        self.cluster = postgres.Cluster()
        self.cluster.sql(TABLES)
        self.pid = int((self.cluster.folder / "data/postmaster.pid").read_text().split()[0])

    def measure(self, seconds):
        """{"tx_per_s", "cpu_ms_per_tx"} with 8 clients; the CPU time is the server's alone."""
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "tx.sql"
            script.write_text(TRANSACTION)
            cpu = machine.CpuOfTree(self.pid)
            before = cpu.seconds()
            done = subprocess.run([postgres.BIN / "pgbench", "-n", "-c", "8", "-j", "2", "-T", str(seconds), "-M", "prepared",
                                   "-f", script, self.cluster.uri.replace("'", "")], capture_output=True, text=True,
                                  check=False)
            spent = cpu.seconds() - before
        lines = {line.split(" = ")[0].split(":")[0]: line for line in done.stdout.splitlines()}
        count = next((line for name, line in lines.items() if "transactions actually processed" in name), None)
        tps = next((line for name, line in lines.items() if name.startswith("tps")), None)
        if done.returncode != 0 or not count or not tps:
            raise parts.Failed(f"pgbench: {done.stderr[-500:]}")
        transactions = int(count.split(":")[1].split("/")[0])
        return {"tx_per_s": float(tps.split("=")[1].split()[0]), "cpu_ms_per_tx": 1000 * spent / max(1, transactions)}

    def close(self):
        self.cluster.close()


def plain_loop(plan, seconds, folder):
    """machine_limit: hash, append and sync the same bytes, with as many writers as there are devices."""
    return parts.run_json([parts.LIMIT, f"--corpus={parts.CORPUS}", f"--plan={plan}", f"--dir={folder}",
                           f"--duration={seconds}s", "--writers=8"], 300)


def per_gib(report, key):
    return report[key] / (report["raw_bytes"] / GIB) if report["raw_bytes"] else 0.0


def derive(loops, nulls, database, crash_bytes):
    """The limits for each way of travelling, from the medians of what was measured.

    `loops`: plain_loop reports; `nulls`: {(tls, zstd): reports of corefleet-load against null_ingest}; `database`: reports.
    Returns {(tls, zstd): {...}}: CPU milliseconds a crash, part by part, and the limit in crashes a second.
    """
    def loop(part):
        return statistics.median(each[part]["cpu_s_per_gib"] for each in loops)

    to_ms = crash_bytes / GIB * 1000
    limits = {}
    for (tls, zstd), reports in nulls.items():
        parts_ms = {
            "gRPC" + (" and TLS" if tls else ""): statistics.median(per_gib(r, "server_cpu_s") for r in reports) * to_ms,
            "inflate and SHA-256" if zstd else "SHA-256": loop("inflate_and_hash" if zstd else "hash") * to_ms,
            "append and sync": loop("append_sync_zstd" if zstd else "append_sync") * to_ms,
            "PostgreSQL": statistics.median(each["cpu_ms_per_tx"] for each in database),
        }
        client = statistics.median(per_gib(r, "client_cpu_s") for r in reports) * to_ms
        server = sum(parts_ms.values())
        cores = os.cpu_count()
        limits[tls, zstd] = {"parts_ms": parts_ms, "server_ms": server, "client_ms": client,
                             "alone_per_s": 1000 * cores / server, "shared_per_s": 1000 * cores / (server + client)}
    return limits
