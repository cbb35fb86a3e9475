"""How a program for devices is linked: Debian's static libraries instead of its shared ones.

A hundred shared libraries (gRPC with Abseil in 60 pieces) cost a process 8 MB before it has done anything: each has data
that the loader relocates. The archives come first; what they resolve, the shared libraries named by the dependencies need
not, and --as-needed leaves them out. It holds for every architecture that has Debian's -dev packages.
"""

_GRPC = [
    "grpc++",
    "grpc",
    "gpr",
    "address_sorting",
    "upb",
    "re2",
    "cares",
    "protobuf",
    "ssl",
    "crypto",
    "z",
    "zstd",
    "lz4",
    "stdc++",
]

# gRPC's own needs included: a static library does not say what it needs itself.
_ABSL = [
    "bad_any_cast_impl",
    "bad_optional_access",
    "bad_variant_access",
    "base",
    "city",
    "civil_time",
    "cord",
    "cord_internal",
    "cordz_functions",
    "cordz_handle",
    "cordz_info",
    "cordz_sample_token",
    "debugging_internal",
    "demangle_internal",
    "examine_stack",
    "exponential_biased",
    "failure_signal_handler",
    "graphcycles_internal",
    "hash",
    "hashtablez_sampler",
    "int128",
    "leak_check",
    "log_severity",
    "low_level_hash",
    "malloc_internal",
    "periodic_sampler",
    "random_distributions",
    "random_internal_distribution_test_util",
    "random_internal_platform",
    "random_internal_pool_urbg",
    "random_internal_randen",
    "random_internal_randen_hwaes",
    "random_internal_randen_hwaes_impl",
    "random_internal_randen_slow",
    "random_internal_seed_material",
    "random_seed_gen_exception",
    "random_seed_sequences",
    "raw_hash_set",
    "raw_logging_internal",
    "scoped_set_env",
    "spinlock_wait",
    "stacktrace",
    "status",
    "statusor",
    "str_format_internal",
    "strerror",
    "strings",
    "strings_internal",
    "symbolize",
    "synchronization",
    "throw_delegate",
    "time",
    "time_zone",
]

STATIC_GRPC = ["-Wl,--as-needed", "-Wl,--gc-sections", "-static-libgcc", "-Wl,--start-group"] + [
    "-l:lib%s.a" % name
    for name in _GRPC + ["absl_" + name for name in _ABSL]
] + ["-Wl,--end-group"]
