"""Runs the micro-benchmarks and prints each rate beside the least that the same bytes can cost in the same run: copying them,
or, where a stored crash is read, inflating and verifying them once.

    rates.py BINARY...
"""

import json
import subprocess
import sys

# What is measured -> the least that it can cost, of the same bytes.
LEAST_OF = {
    "DecodeRing": "CopyRing",
    "DecodeRingWithoutDescriptors": "CopyRing",
    "DecodeLogBuf": "CopyLogBuf",
    "RebuildCore": "CopyCore",
    "ReadCore": "CopyCore",
    "ReadFacts": "DecodeChunks",
}


def medians(binary):
    """{name: {"bytes_per_second": ..., "items_per_second": ...}} of one binary."""
    command = [binary, "--benchmark_format=json", "--benchmark_repetitions=3", "--benchmark_min_time=0.3"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {b["run_name"]: b for b in report["benchmarks"] if b.get("aggregate_name") == "median"}


def main():
    print(f"{'':<30}{'records/s':>12}{'MiB/s':>10}{'least MiB/s':>12}{'of the least':>13}")
    for binary in sys.argv[1:]:
        found = medians(binary)
        for name in found:
            what, slash, crash = name.partition("/")
            if what not in LEAST_OF:
                continue
            mine = found[name]["bytes_per_second"] / 2**20
            limit = found[LEAST_OF[what] + slash + crash]["bytes_per_second"] / 2**20
            records = found[name].get("items_per_second")
            records = f"{records:12,.0f}" if records else " " * 12
            print(f"{name:<30}{records}{mine:10,.0f}{limit:12,.0f}{mine / limit:13.1%}")


if __name__ == "__main__":
    main()
