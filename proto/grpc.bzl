"""The only code generation rules of the project: Debian's protoc and its gRPC plugin."""

def cc_grpc_library(name, srcs, visibility = None):
    """Generates and compiles messages and services of `srcs` (paths below this package) into one cc_library."""
    stems = [src[:-len(".proto")] for src in srcs]
    headers = [stem + suffix for stem in stems for suffix in [".pb.h", ".grpc.pb.h"]]
    sources = [stem + suffix for stem in stems for suffix in [".pb.cc", ".grpc.pb.cc"]]
    native.genrule(
        name = name + "_gen",
        srcs = srcs,
        outs = headers + sources,
        cmd = " ".join([
            "protoc -I proto -I /usr/include",
            "--cpp_out=$(RULEDIR) --grpc_out=$(RULEDIR)",
            "--plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin)",
            "$(SRCS)",
        ]),
    )
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        # Generated code is not ours to make free of warnings.
        copts = ["-w"],
        strip_include_prefix = "/proto",
        visibility = visibility,
        deps = ["//third_party/debian:grpc"],
    )
