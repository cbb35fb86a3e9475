"""B10 in the report."""

import statistics

from tests.bench.ingest.words import met


class SafetyChapter:
    """Needs `found` and `rows` of the report."""

    def _safety_rows(self):
        if "safety" not in self.found:
            return
        b10 = self.found["safety"]
        bad = len(b10["lost"]) + b10["duplicates"] + len(b10["wrong"])
        worst = max(max(each) for each in b10["well_after"].values())
        self.rows.append((f"B10: acknowledged crashes lost, doubled or changed by {b10['faults']} faults under load",
                          f"**{bad / b10['acknowledged']:.2f}**", str(bad), f"{b10['acknowledged']} acknowledged", f"0: {met(bad == 0)}"))
        self.rows.append(("B10: the next crash is acknowledged, after a fault's end", "", f"{worst:.1f} s at most", "", ""))

    def _safety_section(self):
        if "safety" not in self.found:
            return []
        b10 = self.found["safety"]
        lines = ["## B10: faults under load", "",
                 "Four devices upload without a pause, each crash until it is acknowledged, while faults strike. The server runs over a file layer "
                 "that forgets what was not synced when it is killed, so a kill is a power cut for the segments. Then every acknowledged crash "
                 f"is read back and compared: lost {len(b10['lost'])}, duplicates {b10['duplicates']}, wrong {len(b10['wrong'])}, of "
                 f"{b10['acknowledged']}; {b10['attempts'] - b10['acknowledged']} tries failed on the way. `tests/durability/run` does the same for longer.", "",
                 "| fault | times | the cause was there, s: median (most) | then the next crash was acknowledged after, s: median (most) |",
                 "|---|---|---|---|"]
        for kind, after in b10["well_after"].items():
            lasted = b10["lasted"][kind]
            lines.append(f"| {kind.replace('_', ' ')} | {len(after)} | {statistics.median(lasted):.1f} ({max(lasted):.1f}) | "
                         f"{statistics.median(after):.2f} ({max(after):.2f}) |")
        return [*lines, ""]
