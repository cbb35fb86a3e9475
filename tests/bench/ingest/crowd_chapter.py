"""B4 and B6 in the report."""

from tests.bench.ingest import overload, plot
from tests.bench.ingest.words import counts, met


class CrowdChapter:
    """Needs `found`, `settings` and `rows` of the report."""

    def _isolation_rows(self):
        if "isolation" not in self.found:
            return
        b4 = self.found["isolation"]
        slow = b4["slow"].get("offered") or self.settings.slow_devices
        alone = (b4["alone"]["offered_ms"]["p99"] + b4["alone_after"]["offered_ms"]["p99"]) / 2
        self.rows.append((f"B4: server memory with {slow} slow uploads of {self.settings.slow_plan} at 64 KiB/s, TLS",
                          f"**{b4['with_slow']['peak_mib'] / 120:.2f}**", f"{b4['with_slow']['peak_mib']:.0f} MiB", "120 MiB",
                          f"under 120 MiB: {met(b4['with_slow']['peak_mib'] < 120)}"))
        for key, name in (("with_slow", "slow ones"), ("with_hostile", "slow and hostile ones")):
            ratio = b4[key]["offered_ms"]["p99"] / max(alone, 0.001)
            self.rows.append((f"B4: p99 of fast devices beside {name}", f"**{ratio:.2f}**", f"{b4[key]['offered_ms']['p99']:.0f} ms",
                              f"{alone:.0f} ms alone, mean of before and after", f"within 2x: {met(ratio <= 2)}"))

    def _isolation_section(self):
        if "isolation" not in self.found:
            return []
        b4 = self.found["isolation"]
        lines = ["## B4: slow and hostile devices", "",
                 f"20 fast devices bring {b4['fast_rate']:.0f} crashes of 2 MiB a second together, a quarter of what the server could take: "
                 "alone; beside slow uploads, each over a link of 64 KiB/s; and beside slow and 12 hostile ones. All share the server's cores; the "
                 "slow and the hostile ones have a lower priority (nice 10) than those that measure. "
                 "*Stolen* is the part of the cores' time that the host gave to other guests meanwhile. "
                 f"Idle, corefleetd has {b4['idle_mib']:.0f} MiB.", "",
                 "| phase | fast crashes/s | p50 ms | p99 ms | p99.9 ms | stolen | server peak MiB | threads | descriptors | slow ones still there |",
                 "|---|---|---|---|---|---|---|---|---|---|"]
        for key, name in (("alone", "alone, before"), ("with_slow", "slow"), ("with_hostile", "slow and hostile"),
                          ("alone_after", "alone, after")):
            row = b4[key]
            q = row["offered_ms"]
            lines.append(f"| {name} | {row['crashes_per_s']:.1f} | {q['p50']:.0f} | {q['p99']:.0f} | {q['p999']:.0f} | "
                         f"{100 * row['stolen']:.0f}% | {row['peak_mib']:.0f} | {row['threads']} | {row['descriptors']} | {row.get('slow_still_running', '')} |")
        slow = b4["slow"]
        lines += ["", f"Slow uploads stored: {slow.get('stored')} of {slow.get('offered')}, {slow.get('breaks')} streams broke. "
                  "How the attacks ended: " + ", ".join(f"{what} ({count})" for what, count in b4["attacks"].items()) + ".", ""]
        return lines

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
                 "The server and its database have one core and the generator the other, in all cells, the capacity's included: what a refusal "
                 "costs devices is theirs. All devices have connected before the clock runs. "
                 f"*Capacity*: 32 devices that begin the next crash as soon as one is stored, before and after: {b6.capacities[0]:.0f} and {b6.capacities[1]:.0f} /s. "
                 "*Goodput*: stored per second while crashes were offered, but for the first two seconds; so is the capacity. *Drain*: what was under way at the end still took so long. "
                 "*Well again*: seconds after that until all of an offer of 30 % is stored within its second.", "",
                 "| offered | crashes/s | goodput/s | p50 / p99 ms | refused (delay asked for, s) | refused for good | failed | still waiting | drain s | well again s |",
                 "|---|---|---|---|---|---|---|---|---|---|"]
        for row in b6.rows:
            refused = "; ".join(f"{reason} {each['count']} ({each['delay_s']['min']:.1f} to {each['delay_s']['max']:.1f}"
                                + (f", {each['without_delay']} without" if each["without_delay"] else "") + ")"
                                for reason, each in row["refused"].items()) or "none"
            recovered = "more than 6" if row["recovered_s"] is None else f"{row['recovered_s']:.0f}"
            lines.append(f"| {row['times']}x | {row['offered_per_s']:.0f} | {row['goodput_per_s']:.0f} | {row['upload_ms']['p50']:.0f} / "
                         f"{row['upload_ms']['p99']:.0f} | {refused} | {counts(row['rejected'])} | {counts(row['failed'])} | {row['waiting']} | "
                         f"{row['drain_s']:.1f} | {recovered} |")
        return [*lines, ""]

    def _overload_plot(self):
        b6 = self.found["overload"]
        return plot.lines("Goodput under overload", "offered, times capacity", "crashes a second",
                          {"offered": {f"{row['times']}x": row["offered_per_s"] for row in b6.rows},
                           "stored": {f"{row['times']}x": row["goodput_per_s"] for row in b6.rows}},
                          [(b6.capacity, "capacity")])
