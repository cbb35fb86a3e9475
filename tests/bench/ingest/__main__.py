"""The fleet's ingest, measured: B1, B2, B4, B5, B6 and B10, next to the machine's own limit and to peers."""

import argparse
import json
import pathlib
import signal
import sys
import time

from tests.bench.ingest import isolation, machine, overload, parts, peer, report, safety, settings, throughput, wire
from tests.support import programs

CELLS = ("B1", "B2", "B4", "B5", "B6", "B10")


def options():
    parser = argparse.ArgumentParser(prog="tests/bench/run ingest", description=__doc__)
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--quick", action="store_true", help="seconds a cell: proves that it works, measures nothing")
    pace.add_argument("--short", action="store_true", help="fewer repetitions: about 15 minutes")
    parser.add_argument("--only", default=",".join(CELLS), help=f"some of {','.join(CELLS)}")
    parser.add_argument("--peers", default="nginx,tus,radosgw", help="some of nginx,tus,radosgw, or none")
    parser.add_argument("--docs", type=pathlib.Path, default=programs.REPOSITORY / "docs",
                        help="where benchmarks.md and its plots go (default: docs)")
    parser.add_argument("--json", type=pathlib.Path, help="file for everything that was measured")
    chosen = parser.parse_args()
    chosen.only = [cell.strip().upper() for cell in chosen.only.split(",") if cell.strip()]
    chosen.peers = [name.strip() for name in chosen.peers.split(",") if name.strip() not in ("", "none")]
    if unknown := (set(chosen.only) - set(CELLS)) | (set(chosen.peers) - {name for name, *_ in peer.VARIANTS}):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    chosen.settings = settings.QUICK if chosen.quick else settings.SHORT if chosen.short else settings.FULL
    return chosen


def measure(chosen, tls):
    """{part: what it found}; a part that fails is said and left out, and the run ends with 1."""
    runs = {
        "B1": ("throughput", lambda: throughput.Throughput(chosen.settings, tls, chosen.peers).run()),
        "B2": ("wire", lambda: wire.bytes_on_wire(tls, chosen.settings)),
        "B4": ("isolation", lambda: isolation.Isolation(chosen.settings, tls).run()),
        "B5": ("flaky", lambda: wire.FlakyLink(chosen.settings, chosen.peers).run()),
        "B6": ("overload", lambda: overload.Overload(chosen.settings, tls).run()),
        "B10": ("safety", lambda: safety.Safety(chosen.settings).run()),
    }
    found, failed = {}, []
    for cell in CELLS:
        if cell not in chosen.only:
            continue
        name, run = runs[cell]
        began = time.monotonic()
        try:
            found[name] = run()
        except (parts.Failed, AssertionError, OSError, KeyError) as why:
            failed.append(cell)
            print(f"{cell} failed: {why!r}", file=sys.stderr)
        print(f"{cell}: {time.monotonic() - began:.0f} s", flush=True)
    return found, failed


def everything(found):
    """What was measured, as JSON can hold it."""
    def plain(value):
        if isinstance(value, dict):
            return {key if isinstance(key, str) else "/".join(map(str, key)): plain(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
        if hasattr(value, "__dict__"):
            return {key: plain(each) for key, each in vars(value).items() if key not in ("tls", "settings")}
        return value
    return plain(found)


def main():
    chosen = options()
    # Whoever stops it half-way leaves no server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    about = machine.describe()
    began = time.monotonic()
    tls = parts.Certificates()
    try:
        found, failed = measure(chosen, tls)
    finally:
        tls.close()
    about["load_average_after"] = round(machine.load_average(), 2)
    about["minutes"] = (time.monotonic() - began) / 60
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": about, **everything(found)}, indent=1))
    written = report.Report(found, about, chosen.settings)
    text = written.markdown()
    chosen.docs.mkdir(parents=True, exist_ok=True)
    (chosen.docs / "benchmarks.md").write_text(text)
    for name, drawing in written.plots().items():
        (chosen.docs / name).write_text(drawing)
    print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
