"""A header compiled once for all files of a configuration: parsing GoogleTest, Abseil and the standard library again in every file is
half of what a sanitizer's build costs."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _precompiled_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(ctx = ctx, cc_toolchain = toolchain)
    compiler = cc_common.get_tool_for_action(feature_configuration = features, action_name = ACTION_NAMES.cpp_compile)
    flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + ctx.attr.copts + ["-x", "c++-header"]
    if "clang" in compiler:
        # A header whose time has changed, but neither its size nor, as Bazel sees to it, what is in it, is still the one.
        flags += ["-Xclang", "-fno-pch-timestamp"]

    # Both compilers look for this name when -include asks for it without ".gch".
    out = ctx.actions.declare_file(ctx.label.name + ".h.gch")
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        source_file = ctx.files.hdrs[0].path,
        output_file = out.path,
        quote_include_directories = depset(["."]),
        user_compile_flags = flags,
        use_pic = True,
    )
    ctx.actions.run(
        executable = compiler,
        arguments = cc_common.get_memory_inefficient_command_line(
            feature_configuration = features,
            action_name = ACTION_NAMES.cpp_compile,
            variables = variables,
        ),
        env = cc_common.get_environment_variables(
            feature_configuration = features,
            action_name = ACTION_NAMES.cpp_compile,
            variables = variables,
        ),
        inputs = depset(ctx.files.hdrs, transitive = [toolchain.all_files]),
        outputs = [out],
        # Clang writes the absolute paths of what it read into it, so it is one output base's own: from a cache that others fill
        # as well, it would have every file include another base's headers.
        execution_requirements = {"no-cache": "1"},
        mnemonic = "PrecompileHeader",
        progress_message = "Precompiling " + ctx.files.hdrs[0].short_path,
    )
    return [DefaultInfo(files = depset([out]))]

precompiled = rule(
    doc = "NAME.h.gch, compiled as the configuration's C++ is, with `copts` after that. What uses it must have the same flags: .bazelrc.",
    implementation = _precompiled_impl,
    attrs = {
        "hdrs": attr.label_list(allow_files = [".h"], mandatory = True, doc = "The header, and those of ours that it includes."),
        "copts": attr.string_list(),
        "_cc_toolchain": attr.label(default = Label("@bazel_tools//tools/cpp:current_cc_toolchain")),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    incompatible_use_toolchain_transition = True,
)
