"""The C++ toolchain for arm64 devices: Debian's cross compiler, and Debian's arm64 libraries where deploy/setup --cross unpacked them."""

_BUILD = """
load("@bazel_tools//tools/cpp:unix_cc_toolchain_config.bzl", "cc_toolchain_config")

package(default_visibility = ["//visibility:public"])

cc_toolchain_suite(
    name = "toolchain",
    toolchains = {{"aarch64": ":gcc", "aarch64|gcc": ":gcc"}},
)

filegroup(name = "nothing")

cc_toolchain(
    name = "gcc",
    all_files = ":nothing",
    compiler_files = ":nothing",
    dwp_files = ":nothing",
    linker_files = ":nothing",
    objcopy_files = ":nothing",
    strip_files = ":nothing",
    supports_param_files = 1,
    toolchain_config = ":config",
)

cc_toolchain_config(
    name = "config",
    abi_libc_version = "glibc",
    abi_version = "gcc",
    builtin_sysroot = "{sysroot}",
    compile_flags = [],
    compiler = "gcc",
    coverage_compile_flags = [],
    coverage_link_flags = [],
    cpu = "aarch64",
    cxx_builtin_include_directories = ["/usr/lib/gcc-cross/aarch64-linux-gnu", "/usr/aarch64-linux-gnu/include", "{sysroot}/usr/include"],
    cxx_flags = [],
    dbg_compile_flags = ["-g"],
    host_system_name = "local",
    link_flags = [],
    link_libs = ["-lstdc++", "-lm"],
    opt_compile_flags = [],
    opt_link_flags = [],
    supports_start_end_lib = False,
    target_libc = "glibc",
    target_system_name = "aarch64-linux-gnu",
    tool_paths = {{
        tool: "/usr/bin/aarch64-linux-gnu-" + tool
        for tool in ["ar", "cpp", "dwp", "gcc", "gcov", "ld", "llvm-cov", "nm", "objcopy", "objdump", "strip"]
    }},
    toolchain_identifier = "aarch64-linux-gnu",
    unfiltered_compile_flags = ["-no-canonical-prefixes", "-fno-canonical-system-headers"],
)
"""

def _arm64_impl(context):
    # The same place that deploy/setup uses. When nothing is there yet, only a build for arm64 fails.
    environment = context.os.environ
    tools = environment.get("COREFLEET_TOOLS") or (
        environment["XDG_CACHE_HOME"] + "/corefleet/tools" if environment.get("XDG_CACHE_HOME") else environment.get("HOME", "/nonexistent") + "/.cache/corefleet/tools"
    )
    context.file("BUILD.bazel", _BUILD.format(sysroot = tools + "/sysroot-arm64"))

arm64_toolchain = repository_rule(
    implementation = _arm64_impl,
    configure = True,
    environ = ["COREFLEET_TOOLS", "XDG_CACHE_HOME", "HOME"],
)
