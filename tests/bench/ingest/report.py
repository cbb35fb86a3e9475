"""Turns what was measured into docs/benchmarks.md and its plots: ratios first."""

import statistics

from tests.bench.ingest import limits, overload, peer, plot
from tests.bench.ingest.settings import HEAD_BYTES, HEAD_DEVICES, HEAD_SIZE

GIB = 2**30
LEAVES_OUT = {"nginx": peer.Nginx.does_not, "tus": peer.Tus.does_not, "radosgw": peer.Radosgw.does_not}


def median(reports, key="crashes_per_s"):
    return statistics.median(report[key] for report in reports)


def spread(reports, key="crashes_per_s", form="{:.0f}"):
    values = [report[key] for report in reports]
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def way(tls, zstd):
    return f"{'TLS' if tls else 'plaintext'}, {'zstd' if zstd else 'raw'} chunks"


def met(holds):
    return "met" if holds else "**missed**"


class Report:
    """`found` has what was run: throughput, wire, isolation, flaky, overload; what was not is left out."""

    def __init__(self, found, machine, settings):
        self.found = found
        self.machine = machine
        self.settings = settings
        self.rows = []   # of the table: (what, ratio, corefleet, beside, bar)

    def markdown(self):
        for part in (self._throughput_rows, self._wire_rows, self._isolation_rows, self._flaky_rows, self._overload_rows):
            part()
        lines = ["# Benchmarks", "",
                 "Written by `tests/bench/run ingest`; [tests/bench/README.md](../tests/bench/README.md) says how and with what.", ""]
        if self.settings.name == "quick":
            lines += ["**A `--quick` run: it proves that everything works, and no figure of it means anything.**", ""]
        lines += ["| what | ratio | corefleet | beside it | bar |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += ["", *self._where()]
        for part in (self._limit_section, self._peer_section, self._matrix_section, self._wire_section,
                     self._isolation_section, self._flaky_section, self._overload_section):
            lines += part()
        return "\n".join(lines) + "\n"

    def plots(self):
        """{file name: SVG}"""
        drawn = {}
        if "throughput" in self.found:
            drawn["benchmarks-ingest.svg"] = self._ingest_plot()
        if "overload" in self.found:
            drawn["benchmarks-overload.svg"] = self._overload_plot()
        if "flaky" in self.found:
            drawn["benchmarks-flaky.svg"] = self._flaky_plot()
        return drawn

    def _where(self):
        machine = self.machine
        versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
        return [f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
                f"{versions}. Load average before the run {machine['load_average']}, after it {machine['load_average_after']}; "
                f"the run took {machine['minutes']:.0f} minutes. The generator, and every peer's client, shares the cores with the "
                "server. A virtual machine's fdatasync ends when its host has the bytes: what the host does with them is not "
                "in these figures, for anybody.", ""]

    # B1

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
                 "besides, is not in the limit, and is in corefleet's figures.", "",
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
                  "", f"PostgreSQL alone: {spread(t.database, 'tx_per_s')} transactions/s.", ""]
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
        lines += ["", "corefleet's CPU includes its PostgreSQL and reading the facts out of each crash. *Syncs an upload* counts "
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

    # B2

    def _wire_rows(self):
        for row in self.found.get("wire", []):
            if row["tls"]:
                self.rows.append((f"B2: bytes on the wire, {row['plan']} crashes, TLS", f"{row['up'] / row['raw']:.3f}",
                                  f"{row['up'] / row['crashes'] / 1024:.0f} KiB a crash", f"{row['raw'] / row['crashes'] / 1024:.0f} KiB raw", ""))

    def _wire_section(self):
        if "wire" not in self.found:
            return []
        lines = ["## B2: bytes on the wire", "", "By a proxy that only counts, one device, a connection for each crash. The server never "
                 "answers from what other devices sent, so the second crash of a build costs what the first did.", "",
                 "| crashes | how | raw bytes each | chunks | up, all | down, all | up / raw |", "|---|---|---|---|---|---|---|"]
        for row in self.found["wire"]:
            n = max(1, row["crashes"])
            lines.append(f"| {row['plan']} | {'TLS' if row['tls'] else 'plaintext'} | {row['raw'] / n:,.0f} | {row['chunks'] / n:,.0f} | "
                         f"{row['up'] / n:,.0f} | {row['down'] / n:,.0f} | {row['up'] / row['raw']:.3f} |")
        return [*lines, ""]

    # B4

    def _isolation_rows(self):
        if "isolation" not in self.found:
            return
        b4 = self.found["isolation"]
        slow = b4["slow"].get("offered") or self.settings.slow_devices
        alone = b4["alone"]["offered_ms"]["p99"]
        self.rows.append((f"B4: server memory with {slow} slow uploads of {self.settings.slow_plan} at 64 KiB/s, TLS",
                          f"**{b4['with_slow']['peak_mib'] / 120:.2f}**", f"{b4['with_slow']['peak_mib']:.0f} MiB", "120 MiB",
                          f"under 120 MiB: {met(b4['with_slow']['peak_mib'] < 120)}"))
        for key, name in (("with_slow", "slow ones"), ("with_hostile", "slow and hostile ones")):
            ratio = b4[key]["offered_ms"]["p99"] / max(alone, 0.001)
            self.rows.append((f"B4: p99 of fast devices beside {name}", f"**{ratio:.2f}**", f"{b4[key]['offered_ms']['p99']:.0f} ms",
                              f"{alone:.0f} ms alone", f"within 2x: {met(ratio <= 2)}"))

    def _isolation_section(self):
        if "isolation" not in self.found:
            return []
        b4 = self.found["isolation"]
        lines = ["## B4: slow and hostile devices", "",
                 f"20 fast devices bring {b4['fast_rate']:.0f} crashes of 2 MiB a second together, a quarter of what the server could take: "
                 "alone; beside slow uploads, each over a link of 64 KiB/s; and beside slow and 12 hostile ones. "
                 f"Idle, corefleetd has {b4['idle_mib']:.0f} MiB.", "",
                 "| phase | fast crashes/s | p50 ms | p99 ms | p99.9 ms | server peak MiB | threads | descriptors | slow ones still there |",
                 "|---|---|---|---|---|---|---|---|---|"]
        for key, name in (("alone", "alone"), ("with_slow", "slow"), ("with_hostile", "slow and hostile")):
            row = b4[key]
            q = row["offered_ms"]
            lines.append(f"| {name} | {row['crashes_per_s']:.1f} | {q['p50']:.0f} | {q['p99']:.0f} | {q['p999']:.0f} | "
                         f"{row['peak_mib']:.0f} | {row['threads']} | {row['descriptors']} | {row.get('slow_still_running', '')} |")
        slow = b4["slow"]
        lines += ["", f"Slow uploads stored: {slow.get('stored')} of {slow.get('offered')}, {slow.get('breaks')} streams broke. "
                  "How the attacks ended: " + ", ".join(f"{what} ({count})" for what, count in b4["attacks"].items()) + ".", ""]
        return lines

    # B5

    def _flaky_rows(self):
        if "flaky" not in self.found:
            return
        flaky = self.found["flaky"]
        for grain in self.settings.grains:
            ratio = flaky.ratio("corefleet upload", grain)
            peers = "; ".join(f"{who}: {_times(flaky.ratio(who, grain))}" for who in ("tus", "plain PUT (nginx)")
                              if any(row["who"] == who for row in flaky.rows))
            bar = f"under 1.1: {met(ratio is not None and ratio < 1.1)}" if grain == 262144 else ""
            self.rows.append((f"B5: bytes over a link cut every {_bytes(grain)}, {self.settings.flaky_plan} crash",
                              f"**{_times(ratio)}**", f"collector's uploader {_times(ratio)}, generator "
                              f"{_times(flaky.ratio('corefleet-load', grain))}", peers, bar))

    def _flaky_section(self):
        if "flaky" not in self.found:
            return []
        flaky = self.found["flaky"]
        lines = ["## B5: a link that is cut", "", "![bytes over a cut link](benchmarks-flaky.svg)", "",
                 f"One crash of {self.settings.flaky_plan}, plaintext; both ends see a reset every so many bytes of the sender's, give or "
                 "take a tenth. corefleet's chunks are compressed, the peers' bodies are not: compare each with itself over a whole "
                 "link (cut every: never). *corefleet upload* is the collector's uploader; what its waiting between tries costs is in "
                 "its seconds.", "", "| who | cut every | complete | breaks | bytes sent | to a whole link | seconds |", "|---|---|---|---|---|---|---|"]
        for row in flaky.rows:
            lines.append(f"| {row['who']} | {_bytes(row['grain']) if row['grain'] else 'never'} | {'yes' if row['complete'] else '**never**'} | "
                         f"{row['breaks']:.0f} | {row['up']:,.0f} | {_times(flaky.ratio(row['who'], row['grain']))} | {row['seconds']:.1f} |")
        return [*lines, ""]

    def _flaky_plot(self):
        flaky = self.found["flaky"]
        series = {}
        for who in dict.fromkeys(row["who"] for row in flaky.rows):
            points = [(grain / 1024, flaky.ratio(who, grain)) for grain in self.settings.grains]
            if points := [point for point in points if point[1] is not None]:
                series[who] = points
        return plot.lines("Bytes sent over a cut link, to those over a whole one", "KiB between cuts", "times", series, [(1.1, "bar: 1.1")])

    # B6

    def _overload_rows(self):
        if "overload" not in self.found:
            return
        b6 = self.found["overload"]
        worst = b6.rows[-1]
        ratio = worst["goodput_per_s"] / max(b6.capacity, 0.001)
        refused = sum(each["count"] for each in worst["refused"].values())
        self.rows.append((f"B6: goodput at {worst['times']}x of what the server can take, TLS, zstd", f"**{ratio:.2f}**",
                          f"{worst['goodput_per_s']:.0f} /s, {refused} tries refused", f"{b6.capacity:.0f} /s at capacity",
                          f"flat (at least 0.9): {met(ratio >= 0.9)}"))
        recovered = None if worst["recovered_s"] is None else worst["drain_s"] + worst["recovered_s"]
        self.rows.append(("B6: well again after it", "" if recovered is None else f"{recovered / 5:.2f}",
                          "not within 6 s" if recovered is None else f"{recovered:.1f} s", "5 s",
                          f"under 5 s: {met(recovered is not None and recovered < 5)}"))

    def _overload_section(self):
        if "overload" not in self.found:
            return []
        b6 = self.found["overload"]
        lines = ["## B6: overload", "", "![goodput](benchmarks-overload.svg)", "",
                 f"Crashes of 2 MiB happen at a fixed rate, up to {overload.DEVICES} uploads at once; who is refused comes back exactly when told to. "
                 "*Goodput*: stored per second while crashes were offered, but for the first two seconds. *Drain*: what was under way at the end still took so long. "
                 "*Well again*: seconds after that until all of an offer of 30 % is stored within its second.", "",
                 "| offered | crashes/s | goodput/s | p50 / p99 ms | refused (delay asked for, s) | refused for good | failed | still waiting | drain s | well again s |",
                 "|---|---|---|---|---|---|---|---|---|---|"]
        for row in b6.rows:
            refused = "; ".join(f"{reason} {each['count']} ({each['delay_s']['min']:.1f} to {each['delay_s']['max']:.1f}"
                                + (f", {each['without_delay']} without" if each["without_delay"] else "") + ")"
                                for reason, each in row["refused"].items()) or "none"
            recovered = "more than 6" if row["recovered_s"] is None else f"{row['recovered_s']:.0f}"
            lines.append(f"| {row['times']}x | {row['offered_per_s']:.0f} | {row['goodput_per_s']:.0f} | {row['upload_ms']['p50']:.0f} / "
                         f"{row['upload_ms']['p99']:.0f} | {refused} | {_counts(row['rejected'])} | {_counts(row['failed'])} | {row['waiting']} | "
                         f"{row['drain_s']:.1f} | {recovered} |")
        return [*lines, ""]

    def _overload_plot(self):
        b6 = self.found["overload"]
        return plot.lines("Goodput under overload", "offered, times capacity", "crashes a second",
                          {"offered": [(row["times"], row["offered_per_s"]) for row in b6.rows],
                           "stored": [(row["times"], row["goodput_per_s"]) for row in b6.rows]},
                          [(b6.capacity, "capacity")])


def _times(ratio):
    return "never completes" if ratio is None else f"{ratio:.2f}"


def _bytes(count):
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 1024} KiB"


def _counts(counts):
    return "; ".join(f"{name} {count}" for name, count in counts.items()) or "none"
