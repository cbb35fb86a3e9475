"""Runs the suites that tests/run names, says how each went, and counts every test."""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from concurrent import futures

from tests.support.programs import REPOSITORY

BAZEL = ["bazel", *os.environ.get("COREFLEET_BAZEL_STARTUP", "").split()]
PROGRAMS = ["//server:corefleetd", "//cli:corefleet", "//collector:corefleet-collector",
            "//tests/durability/storm:libforgetful_files.so"]
# What handles bytes and threads of its own. The rims and the command line run under AddressSanitizer by their tests of
# the whole, and gRPC's own code is not ours to instrument.
SANITIZED = {
    "asan": ["//base/...", "//core/...", "//storage/...", "//server/...", "//collector/...",
             "//tests/fuzz/..."],
    # Only what has threads; tsan_test says that a race would be found. Not server/rpc: its reactors go from thread to
    # thread through libgrpc, which is not instrumented, and each such step would be a report.
    "tsan": ["//tests/support:tsan_test", "//base/...", "//storage/contract/...", "//storage/segment/...",
             "//storage/postgres/...", "//server/...", "//collector/upload/...", "-//server:address_file_test",
             "-//server:options_test", "-//server/rpc/...",
             "-//storage/postgres:pqxx_status_test", "-//collector/upload:retry_policy_test"],
}


def output_base(name):
    """An output base beside Bazel's own, where clang is in the place of g++: in one, each would make Bazel build everything anew. One
    for each clone, as Bazel does it: files that a test reads are links into the clone."""
    clone = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:12]
    return ["--output_base=" + os.path.expanduser(f"~/.cache/corefleet/bazel-{name}-{clone}")]


def headers_of_libraries():
    """A flag that changes with the packages whose headers the sanitizers' builds compile once: Bazel does not look at what is outside
    the repository, and a compiler refuses headers that were changed after they were compiled."""
    packages = ["libabsl-dev", "libgtest-dev", "libstdc++-12-dev", "libc6-dev", "g++-12", "clang-14"]
    versions = subprocess.run(["dpkg-query", "--show", *packages], capture_output=True, check=False).stdout
    return f"--copt=-DCOREFLEET_HEADERS=0x{hashlib.sha256(versions).hexdigest()[:12]}"


ASAN_BASE = output_base("asan")
FUZZ_BASE = output_base("fuzz")
E2E_TOGETHER = 2
SUITE_SECONDS = 1800


class Result:
    """What a suite found: names of tests, and for the failed ones what to read."""

    def __init__(self, name):
        self.name = name
        self.passed = []
        self.failed = {}
        self.seconds = 0.0

    def add(self, test, ok, why=""):
        if ok:
            self.passed.append(test)
        else:
            self.failed[test] = why


def call(command, log, timeout=SUITE_SECONDS):
    """Runs a command with its output in a file; its exit code, or 124 when it took too long."""
    with open(log, "ab") as out:
        try:
            return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  cwd=REPOSITORY, timeout=timeout, check=False).returncode
        except subprocess.TimeoutExpired:
            out.write(f"\nstopped after {timeout} s\n".encode())
            return 124


def tail(path, lines=15):
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def files(*patterns):
    """Tracked and new files of the repository."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
                            cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in listed if (REPOSITORY / name).exists()]


def run_commands(result, log, commands):
    for test, command in commands.items():
        part = log.with_name(f"{log.stem}-{test}.log")
        result.add(test, call(command, part) == 0, f"{part}\n{tail(part) if part.exists() else ''}")


def layers(result, log):
    run_commands(result, log, {"layers": ["tests/layers/check_layers.sh"],
                               "layers-are-checked": ["tests/layers/check_layers_test.sh"]})


def formatting(result, log):
    run_commands(result, log, {"clang-format": ["clang-format-14", "--dry-run", "-Werror", *files("*.h", "*.cc")]})


def scripts(result, log):
    shell = [name for name in files("deploy/*", "tests/*", ".ci/*")
             if (REPOSITORY / name).is_file() and b"#!/usr/bin/env bash" in (REPOSITORY / name).open("rb").read(24)]
    run_commands(result, log, {"shellcheck": ["shellcheck", *shell]})


TEST_LINE = re.compile(r"^(//\S+)\s+(?:\(cached\) )?(PASSED|FLAKY|FAILED TO BUILD|FAILED|TIMEOUT|NO STATUS|INCOMPLETE)")


def bazel_test(result, log, targets, config=None, bazel=None):
    """`bazel test`; every test target is one test."""
    command = (bazel or BAZEL) + ["test", "--keep_going", "--test_output=errors", "--test_summary=short", "--build_tests_only"]
    command += [f"--config={config}", headers_of_libraries()] if config else []
    code = call(command + ["--", *targets], log, timeout=3600)
    for line in log.read_text(errors="replace").splitlines():
        if match := TEST_LINE.match(line):
            result.add(match[1], match[2] in ("PASSED", "FLAKY"), f"{match[2]}; {log}")
    if code != 0 and not result.failed:
        result.add("bazel", False, f"exit {code}; {log}\n{tail(log)}")
    if not result.passed and not result.failed:
        result.add("bazel", False, f"no test found; {log}")


def unit(result, log):
    """What AddressSanitizer does not run as well: a test that passes there need not be built a second time."""
    bazel_test(result, log, ["//...", *("-" + targets for targets in SANITIZED["asan"])])


def unit_all(result, log):
    bazel_test(result, log, ["//..."])


def asan(result, log):
    bazel_test(result, log, SANITIZED["asan"], "asan", ["bazel", *ASAN_BASE])
    subprocess.run(["bazel", *ASAN_BASE, "shutdown"], cwd=REPOSITORY, check=False)


def tsan(result, log):
    bazel_test(result, log, SANITIZED["tsan"], "tsan")


def build_programs(log, names):
    """Builds what end-to-end tests run, and tells them where it is; False when the build failed."""
    builds = {"COREFLEET_BAZEL_BIN": ([], PROGRAMS)}
    if "arm64" in names:
        builds["COREFLEET_BAZEL_BIN_ARM64"] = (["--config=arm64"], ["//collector:corefleet-collector"])
    for variable, (config, targets) in builds.items():
        if call(BAZEL + ["build", *config, "--symlink_prefix=/", *targets], log, timeout=3600) != 0:
            return False
        found = subprocess.run(BAZEL + ["info", *config, "bazel-bin"], cwd=REPOSITORY, capture_output=True, text=True,
                               check=True)
        os.environ[variable] = found.stdout.strip()
    return True


def e2e(name):
    def suite(result, log):
        results = log.with_suffix(".json")
        code = call([sys.executable, "-m", "tests.support.e2e", f"tests.e2e.test_{name}", results], log)
        if not results.exists():
            result.add(name, False, f"exit {code}; {log}\n{tail(log)}")
            return
        for test, why in json.loads(results.read_text()).items():
            result.add(test, not why, f"{log}\n{why}")
        if not result.passed and not result.failed:
            result.add(name, False, f"no test found; {log}")
    return suite


def e2e_names():
    return sorted(path.stem[len("test_"):] for path in (REPOSITORY / "tests/e2e").glob("test_*.py"))


SUITES = {"layers": layers, "format": formatting, "scripts": scripts, "unit": unit, "asan": asan, "tsan": tsan}
SLOW = {"asan", "tsan"}


def run_suite(name, suite, logs):
    result = Result(name)
    began = time.monotonic()
    try:
        suite(result, logs / f"{name}.log")
    except Exception as error:  # a suite that breaks is a suite that failed, and the others still run
        result.add(name, False, repr(error))
    result.seconds = time.monotonic() - began
    report(result)
    return result


def report(result):
    print(f"{result.name:16} {len(result.passed):4} passed {len(result.failed):4} failed  {result.seconds:6.0f} s",
          flush=True)
    for test, why in result.failed.items():
        print(f"  FAILED {test}\n" + "".join(f"    {line}\n" for line in why.splitlines()[-30:]), flush=True)


def run_all(names, logs):
    wanted = [name for name in SUITES if name in names]
    results = []
    for name in wanted:
        print(f"{name} ...", flush=True)
        results.append(run_suite(name, SUITES[name], logs))
    whole = [name for name in e2e_names() if name in names]
    if whole:
        print("building the programs ...", flush=True)
        if not build_programs(logs / "programs.log", names):
            broken = Result("programs")
            broken.add("bazel build", False, tail(logs / "programs.log"))
            report(broken)
            return results + [broken]
        print("end to end ...", flush=True)
        with futures.ThreadPoolExecutor(E2E_TOGETHER) as pool:
            results += pool.map(lambda name: run_suite(name, e2e(name), logs), whole)
    return results




def fuzz(seconds, logs):
    """Every target tagged "fuzzer", under clang's libFuzzer, from its own seeds on; each is one test."""
    result = Result("fuzz")
    bazel = ["bazel", *FUZZ_BASE]
    query = subprocess.run(bazel + ["query", 'attr(tags, "\\bfuzzer\\b", //...)'], cwd=REPOSITORY,
                           capture_output=True, text=True, check=True)
    targets = query.stdout.split()
    log = logs / "fuzz.log"
    replays = [target + "_replay_test" for target in targets]
    if not targets or call(bazel + ["build", "--config=fuzz", "--symlink_prefix=/", *targets], log, timeout=3600) != 0 or \
            call(BAZEL + ["build", *replays], log, timeout=3600) != 0:
        result.add("build", False, f"{len(targets)} fuzzers; {log}\n{tail(log) if log.exists() else ''}")
        report(result)
        return [result]
    fuzzers, plain = (subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
                      for command in (bazel + ["info", "--config=fuzz", "bazel-bin"], BAZEL + ["info", "bazel-bin"]))
    for target in targets:
        path = target.removeprefix("//").replace(":", "/")
        name = path.rpartition("/")[2]
        corpus = logs / (name + ".corpus")
        corpus.mkdir()
        part = logs / f"fuzz-{name}.log"
        call([f"{plain}/{path}_replay_test", f"--write_seeds={corpus}"], part)
        code = call([f"{fuzzers}/{path}", corpus, f"-max_total_time={seconds}", f"-artifact_prefix={logs}/",
                     "-timeout=20"], part, timeout=seconds + 120)
        result.add(target, code == 0, f"{part}\n{tail(part)}")
    report(result)
    return [result]


def main():
    every = list(SUITES) + e2e_names()
    parser = argparse.ArgumentParser(prog="tests/run", description="Runs every test. Without NAME: all.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--fast", action="store_true", help="without the sanitizers")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--fuzz", type=int, metavar="SECONDS", help="libFuzzer, so long for each fuzzer")
    options = parser.parse_args()
    if options.list:
        print("\n".join(every))
        return 0
    names = {part for name in options.names or every for part in (e2e_names() if name == "e2e" else [name])}
    if unknown := names - set(every):
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    if options.fast:
        names -= SLOW
    if "asan" not in names:
        SUITES["unit"] = unit_all
    logs = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-tests-"))
    print(f"logs: {logs}", flush=True)
    results = fuzz(options.fuzz, logs) if options.fuzz else run_all(names, logs)
    passed = sum(len(result.passed) for result in results)
    failed = sum(len(result.failed) for result in results)
    print(f"logs: {logs}")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
