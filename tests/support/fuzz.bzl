"""A fuzz target: one source, run in two ways."""

def fuzz_target(name, srcs, deps = [], data = [], mutations = 4000, size = "small"):
    """Declares NAME_replay_test, run with all tests, and NAME, for libFuzzer (tests/run --fuzz).

    Args:
      name: ends in _fuzzer.
      srcs: define LLVMFuzzerTestOneInput and corefleet::FuzzSeeds.
      deps: what they need.
      data: files that the seeds are read from.
      mutations: damaged copies of each seed that the replay runs; fewer where one run is dear.
      size: the replay test's.
    """
    native.cc_test(
        name = name + "_replay_test",
        size = size,
        srcs = srcs,
        args = ["--mutations=%d" % mutations],
        data = data,
        deps = deps + ["//tests/support:fuzz_replay"],
    )
    native.cc_binary(
        name = name,
        testonly = True,
        srcs = srcs,
        data = data,
        linkopts = ["-fsanitize=fuzzer"],
        tags = [
            "fuzzer",
            "manual",
        ],
        deps = deps + ["//tests/support:fuzz_target"],
    )
