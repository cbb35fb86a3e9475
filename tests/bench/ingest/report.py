"""Turns what was measured into docs/benchmarks.md and its plots: ratios first."""

from tests.bench.ingest.crowd_chapter import CrowdChapter
from tests.bench.ingest.link_chapter import LinkChapter
from tests.bench.ingest.safety_chapter import SafetyChapter
from tests.bench.ingest.throughput_chapter import ThroughputChapter


class Report(ThroughputChapter, LinkChapter, CrowdChapter, SafetyChapter):
    """`found` has what was run: throughput, wire, isolation, flaky, overload, safety; what was not is left out."""

    def __init__(self, found, machine, settings):
        self.found = found
        self.machine = machine
        self.settings = settings
        self.rows = []   # of the table: (what, ratio, corefleet, beside, bar)

    def markdown(self):
        for part in (self._throughput_rows, self._wire_rows, self._isolation_rows, self._flaky_rows, self._overload_rows,
                     self._safety_rows):
            part()
        lines = ["# Benchmarks", "",
                 "Written by `tests/bench/run ingest`; [tests/bench/README.md](../tests/bench/README.md) says how and with what.", ""]
        if self.settings.name == "quick":
            lines += ["**A `--quick` run: it proves that everything works, and no figure of it means anything.**", ""]
        lines += ["| what | ratio | corefleet | beside it | bar |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += ["", *self._where()]
        for part in (self._limit_section, self._peer_section, self._matrix_section, self._wire_section,
                     self._isolation_section, self._flaky_section, self._overload_section, self._safety_section):
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
