"""Runs the micro-benchmarks and prints each rate beside copying the same bytes in the same run.

    rates.py BINARY...
"""

import json
import subprocess
import sys

# What is measured -> the copy of the same bytes.
COPY_OF = {
    "DecodeRing": "CopyRing",
    "DecodeRingWithoutDescriptors": "CopyRing",
    "DecodeLogBuf": "CopyLogBuf",
    "RebuildCore": "CopyCore",
    "ReadCore": "CopyCore",
}


def medians(binary):
    """{name: {"bytes_per_second": ..., "items_per_second": ...}} of one binary."""
    command = [binary, "--benchmark_format=json", "--benchmark_repetitions=3", "--benchmark_min_time=0.3"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {b["run_name"]: b for b in report["benchmarks"] if b.get("aggregate_name") == "median"}


def main():
    print(f"{'':<30}{'records/s':>12}{'MiB/s':>10}{'copy MiB/s':>12}{'of copying':>12}")
    for binary in sys.argv[1:]:
        found = medians(binary)
        for name, copy in COPY_OF.items():
            if name not in found:
                continue
            mine = found[name]["bytes_per_second"] / 2**20
            limit = found[copy]["bytes_per_second"] / 2**20
            records = found[name].get("items_per_second")
            records = f"{records:12,.0f}" if records else " " * 12
            print(f"{name:<30}{records}{mine:10,.0f}{limit:12,.0f}{mine / limit:12.1%}")


if __name__ == "__main__":
    main()
