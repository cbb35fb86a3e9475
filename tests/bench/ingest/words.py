"""How the report's tables say things."""

import statistics

GIB = 2**30


def median(reports, key="crashes_per_s"):
    return statistics.median(report[key] for report in reports)


def spread(reports, key="crashes_per_s", form="{:.0f}"):
    values = [report[key] for report in reports]
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def way(tls, zstd):
    return f"{'TLS' if tls else 'plaintext'}, {'zstd' if zstd else 'raw'} chunks"


def met(holds):
    return "met" if holds else "**missed**"


def times(ratio):
    return "never completes" if ratio is None else f"{ratio:.2f}"


def size(count):
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count // 1024} KiB"


def counts(found):
    return "; ".join(f"{name} {count}" for name, count in found.items()) or "none"

