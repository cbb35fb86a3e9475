"""B2 and B5 in the report."""

from tests.bench.ingest import plot
from tests.bench.ingest.words import met, size, times


class LinkChapter:
    """Needs `found`, `settings` and `rows` of the report."""

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

    def _flaky_rows(self):
        if "flaky" not in self.found:
            return
        flaky = self.found["flaky"]
        for grain in self.settings.grains:
            ratio = flaky.ratio("corefleet upload", grain)
            peers = "; ".join(f"{who}: {times(flaky.ratio(who, grain))}" for who in ("tus", "plain PUT (nginx)")
                              if any(row["who"] == who for row in flaky.rows))
            bar = f"under 1.1: {met(ratio is not None and ratio < 1.1)}" if grain == 262144 else ""
            self.rows.append((f"B5: bytes over a link cut every {size(grain)}, {self.settings.flaky_plan} crash",
                              f"**{times(ratio)}**", f"collector's uploader {times(ratio)}, generator "
                              f"{times(flaky.ratio('corefleet-load', grain))}", peers, bar))

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
            lines.append(f"| {row['who']} | {size(row['grain']) if row['grain'] else 'never'} | {'yes' if row['complete'] else '**never**'} | "
                         f"{row['breaks']:.0f} | {row['up']:,.0f} | {times(flaky.ratio(row['who'], row['grain']))} | {row['seconds']:.1f} |")
        return [*lines, ""]

    def _flaky_plot(self):
        flaky = self.found["flaky"]
        series = {}
        for who in dict.fromkeys(row["who"] for row in flaky.rows):
            ratios = {size(grain): flaky.ratio(who, grain) for grain in self.settings.grains}
            if came_through := {grain: ratio for grain, ratio in ratios.items() if ratio is not None}:
                series[who] = came_through
        return plot.lines("Bytes sent over a cut link, to those over a whole one", "bytes between cuts", "times", series, [(1.1, "bar: 1.1")])
