"""B1 in the report."""

import statistics

from tests.bench.ingest import limits, peer, plot
from tests.bench.ingest.settings import HEAD_BYTES, HEAD_DEVICES, HEAD_SIZE
from tests.bench.ingest.words import GIB, median, met, spread, way

LEAVES_OUT = {"nginx": peer.Nginx.does_not, "tus": peer.Tus.does_not, "radosgw": peer.Radosgw.does_not}


class ThroughputChapter:
    """Needs `found`, `settings`, `machine` and `rows` of the report."""

    def _head(self, tls, zstd):
        return self.found["throughput"].runs[HEAD_SIZE, HEAD_DEVICES, tls, zstd]

    def _limits(self):
        t = self.found["throughput"]
        return limits.derive(t.loops, t.nulls, t.database, HEAD_BYTES)

    def _throughput_rows(self):
        if "throughput" not in self.found:
            return
        t = self.found["throughput"]
        for (tls, zstd), limit in sorted(self._limits().items(), reverse=True):
            ours = median(self._head(tls, zstd))
            part = ours / limit["shared_per_s"]
            bar = f"at least 75 %: {met(part >= 0.75)}" if tls else ""
            self.rows.append((f"B1: crashes of 2 MiB, {HEAD_DEVICES} devices, {way(tls, zstd)}", f"**{part:.0%}**",
                              f"{spread(self._head(tls, zstd))} /s",
                              f"derived limit with the generator on the same cores: {limit['shared_per_s']:.0f} /s", bar))
        if long := t.sustained:
            limit = self._limits()[True, True]["shared_per_s"]
            self.rows.append((f"B1: the same for longer, TLS, zstd, facts being read beside it: seconds {long['seconds'] - long['later_seconds']:.0f} "
                              f"to {long['seconds']:.0f}", f"{long['later_per_s'] / limit:.0%}", f"{long['later_per_s']:.0f} /s",
                              f"derived limit, in which no facts are read: {limit:.0f} /s", ""))
        raw = self._head(False, False)
        loop = [each["hash_append_sync"] for each in t.loops]
        self.rows.append(("B1: the same bytes in a plain loop: hash, append, fdatasync", f"{median(raw) / median(loop):.2f}",
                          f"{spread(raw)} /s, plaintext, raw", f"{spread(loop)} /s, no network", ""))
        for name, how, _, _, durable in peer.VARIANTS:
            if reports := t.peer_runs.get((name, how)):
                ratio = median(raw) / median(reports)
                bar = f"ahead of it: {met(ratio > 1)}" if durable else "acknowledges before it is durable"
                self.rows.append((f"B1: {name}, {how}", f"**{ratio:.2f}**" if durable else f"{ratio:.2f}",
                                  f"{spread(raw)} /s, plaintext, raw", f"{spread(reports)} /s", bar))
                if durable:
                    sent = self._head(False, True)
                    ratio = median(sent) / median(reports)
                    self.rows.append(("B1: the same with zstd chunks, as devices send them (compressing is theirs, and done before the clock runs)",
                                      f"{ratio:.2f}", f"{spread(sent)} /s, plaintext, zstd", f"{spread(reports)} /s", f"ahead of it: {met(ratio > 1)}"))
            elif why := t.missing.get((name, how)):
                self.rows.append((f"B1: {name}, {how}", "", "", why, "not measured"))

    def _limit_section(self):
        if "throughput" not in self.found:
            return []
        t = self.found["throughput"]
        lines = ["## The limit, and how it is derived", "",
                 "CPU milliseconds for a crash of 2 MiB, each part measured alone in this run: gRPC with a service that keeps "
                 "nothing, the others by a plain loop, PostgreSQL by pgbench with the cheapest transaction that could record a "
                 "crash. Limit = cores / (all parts + generator). Reading the facts out of each crash, which corefleetd does "
                 "besides, is not in the limit. It waits for five seconds while uploads keep the server busy, so short cells see little of "
                 "it; the cell over a longer time has it in full.", "",
                 "| part | " + " | ".join(way(*key) for key in self._order()) + " |", "|---|" + "---|" * 4]
        derived = self._limits()
        columns = [derived[key] for key in self._order()]
        for index in range(len(columns[0]["parts_ms"])):
            names = list(dict.fromkeys(list(column["parts_ms"])[index] for column in columns))
            lines.append(f"| {' / '.join(names)} | " + " | ".join(f"{list(c['parts_ms'].values())[index]:.2f}" for c in columns) + " |")
        lines += ["| server | " + " | ".join(f"{c['server_ms']:.2f}" for c in columns) + " |",
                  "| generator | " + " | ".join(f"{c['client_ms']:.2f}" for c in columns) + " |",
                  "| **limit, generator on the same cores** | " + " | ".join(f"**{c['shared_per_s']:.0f} /s**" for c in columns) + " |",
                  "| limit, server alone | " + " | ".join(f"{c['alone_per_s']:.0f} /s" for c in columns) + " |",
                  "| corefleet, crashes/s | " + " | ".join(f"{median(self._head(*key)):.0f}" for key in self._order()) + " |",
                  "| corefleet, CPU ms of corefleetd | " + " | ".join(self._cost(key, "server_cpu_s") for key in self._order()) + " |",
                  "| corefleet, CPU ms of its PostgreSQL | " + " | ".join(self._cost(key, "postgres_cpu_s") for key in self._order()) + " |",
                  "", f"The disk alone, 8 threads that append and share each fdatasync: {spread([each['append_sync'] for each in t.loops])} "
                  f"crashes/s. PostgreSQL alone, 8 clients: {spread(t.database, 'tx_per_s')} transactions/s. Where one of these is below "
                  "the limit, it is not the cores that limit.", ""]
        if long := t.sustained:
            lines += [f"For {long['seconds']:.0f} s, TLS, zstd: {long['crashes_per_s']:.0f} crashes/s in all, {long['later_per_s']:.0f} /s in the last "
                      f"{long['later_seconds']} s; all facts were read {long['caught_up_s']:.0f} s after the last upload, "
                      f"{long['stored'] / (long['seconds'] + long['caught_up_s']):.0f} crashes/s from first upload to last fact.", ""]
        verdicts = t.verdicts
        if verdicts:
            lines += [f"Checked: of {sum(v['promised'] for v in verdicts)} crashes counted in the first repetition "
                      f"{sum(v['read_back'] for v in verdicts)} were read back whole through the archive, "
                      f"{sum(v['bytes'] for v in verdicts) / GIB:.1f} GiB; lost {sum(v['lost'] for v in verdicts)}, wrong "
                      f"{sum(v['wrong'] for v in verdicts)}, duplicates {sum(v['duplicates'] for v in verdicts)}.", ""]
        return lines

    @staticmethod
    def _order():
        return [(True, False), (True, True), (False, False), (False, True)]

    def _cost(self, key, what):
        reports = self._head(*key)
        return f"{statistics.median(limits.per_gib(r, what) for r in reports) * HEAD_BYTES / GIB * 1000:.2f}"

    def _peer_section(self):
        if "throughput" not in self.found:
            return []
        t = self.found["throughput"]
        lines = ["## Peers", "", "![crashes a second](benchmarks-ingest.svg)", "",
                 f"Crashes of 2 MiB, {HEAD_DEVICES} at a time, plaintext, the same raw bytes, in turn with corefleet in each of "
                 f"{self.settings.repetitions} repetitions. Peers' clients are libcurl with prepared bodies.", "",
                 "| who | crashes/s | p50 / p99 ms | server CPU ms | client CPU ms | syncs an upload | does not do |",
                 "|---|---|---|---|---|---|---|"]
        lines.append(self._peer_line("corefleet", "", self._head(False, False), t.syncs.get(("corefleet", "")), ""))
        lines.append(self._peer_line("corefleet", "TLS", self._head(True, False), None, ""))
        for name, how, _, _, _ in peer.VARIANTS:
            if reports := t.peer_runs.get((name, how)):
                lines.append(self._peer_line(name, how, reports, t.syncs.get((name, how)), LEAVES_OUT[name]))
        lines += ["", "corefleet's CPU includes its PostgreSQL. *Syncs an upload* counts "
                  "fsync, fdatasync and syncfs calls of the server's processes, by strace, with two devices at a time; where nginx is "
                  "made durable, its client does it, by fsync of the stored file and its folder (the least there is) or by syncfs."]
        if t.wrong:
            lines += ["", "**Wrong:** " + "; ".join(t.wrong)]
        if t.pinned:
            lines += ["", "Server on core 0, clients on core 1:", "", "| who | crashes/s | server CPU ms |", "|---|---|---|"]
            for (name, how), reports in t.pinned.items():
                cpu = statistics.median(limits.per_gib(r, "server_cpu_s") for r in reports) * HEAD_BYTES / GIB * 1000
                lines.append(f"| {name}, {how} | {spread(reports)} | {cpu:.2f} |")
        return [*lines, ""]

    @staticmethod
    def _peer_line(name, how, reports, syncs, leaves_out):
        def ms(key):
            return statistics.median(limits.per_gib(r, key) for r in reports) * HEAD_BYTES / GIB * 1000

        server = ms("server_cpu_s") + (ms("postgres_cpu_s") if "postgres_cpu_s" in reports[0] else 0)
        p50 = statistics.median(r["upload_ms"]["p50"] for r in reports)
        p99 = statistics.median(r["upload_ms"]["p99"] for r in reports)
        return (f"| {name}{', ' + how if how else ''} | {spread(reports)} | {p50:.0f} / {p99:.0f} | {server:.2f} | "
                f"{ms('client_cpu_s'):.2f} | {'' if syncs is None else f'{syncs:.1f}'} | {leaves_out} |")

    def _matrix_section(self):
        if "throughput" not in self.found:
            return []
        lines = ["## B1: sizes, devices, TLS", "",
                 "| size | devices | how | crashes/s | MiB/s raw | p50 ms | p99 ms | p99.9 ms | corefleetd CPU s/GiB | PostgreSQL CPU s/GiB |",
                 "|---|---|---|---|---|---|---|---|---|---|"]
        for (size, devices, tls, zstd), reports in sorted(
                self.found["throughput"].runs.items(), key=lambda item: (len(item[0][0]), item[0][0], item[0][1:])):
            cells = [statistics.median(r["upload_ms"][q] for r in reports) for q in ("p50", "p99", "p999")]
            lines.append(f"| {size} | {devices} | {way(tls, zstd)} | {spread(reports)} | {median(reports, 'mib_per_s'):.0f} | "
                         + " | ".join(f"{cell:.0f}" for cell in cells)
                         + f" | {statistics.median(limits.per_gib(r, 'server_cpu_s') for r in reports):.2f}"
                         + f" | {statistics.median(limits.per_gib(r, 'postgres_cpu_s') for r in reports):.2f} |")
        return [*lines, ""]

    def _ingest_plot(self):
        t = self.found["throughput"]
        rows = []

        def add(label, kind, values):
            rows.append((label, kind, statistics.median(values), min(values), max(values)))

        derived = self._limits()
        for tls in (True, False):
            limit = derived[tls, False]["shared_per_s"]
            add(f"derived limit, {way(tls, False)}", "limit", [limit])
            add(f"corefleet, {way(tls, False)}", "ours", [r["crashes_per_s"] for r in self._head(tls, False)])
        add("plain loop: hash, append, sync; no network", "limit", [each["hash_append_sync"]["crashes_per_s"] for each in t.loops])
        for name, how, _, _, durable in peer.VARIANTS:
            if reports := t.peer_runs.get((name, how)):
                add(f"{name}, {how}", "durable" if durable else "not durable", [r["crashes_per_s"] for r in reports])
        return plot.bars(f"Crashes of 2 MiB a second, {HEAD_DEVICES} at a time, all on {self.machine['cores']} cores",
                         "crashes a second", rows)
