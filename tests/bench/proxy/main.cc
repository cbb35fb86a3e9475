// A TCP proxy for a link that misbehaves; tests/bench/README.md.

#include <csignal>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "tests/bench/proxy/tcp_proxy.h"

ABSL_FLAG(int, port, 0, "Of 127.0.0.1 to listen on; 0: any free one.");
ABSL_FLAG(int, target_port, 0, "Of 127.0.0.1 to carry to.");
ABSL_FLAG(uint64_t, cut_after, 0, "Resets each connection after so many bytes from the client.");
ABSL_FLAG(uint64_t, half_close_after, 0, "Ends the client's side of each connection after so many bytes.");
ABSL_FLAG(uint64_t, corrupt_every, 0, "Turns one bit over every so many bytes from the client.");
ABSL_FLAG(uint64_t, stall_after, 0, "Holds each connection still once, after so many bytes from the client.");
ABSL_FLAG(absl::Duration, stall, absl::Seconds(5), "How long.");
ABSL_FLAG(absl::Duration, delay, absl::ZeroDuration(), "Of every byte, each way.");
ABSL_FLAG(uint64_t, bytes_per_second, 0, "What each connection carries, each way.");
ABSL_FLAG(double, jitter, 0, "Part of itself by which each of the distances above varies.");
ABSL_FLAG(uint64_t, seed, 1, "Of the jitter.");
ABSL_FLAG(std::string, counts, "", "File for the counts, as JSON, when it ends (SIGTERM, SIGINT).");

namespace {

corefleet::TcpProxy* running = nullptr;

void OnSignal(int) { running->Stop(); }

std::string Json(const corefleet::ProxyCounts& counts) {
  return absl::StrCat("{\"connections\": ", counts.connections,
                      ", \"upstream_bytes\": ", counts.upstream_bytes,
                      ", \"downstream_bytes\": ", counts.downstream_bytes, ", \"cuts\": ", counts.cuts,
                      ", \"half_closes\": ", counts.half_closes, ", \"stalls\": ", counts.stalls,
                      ", \"corrupted_bytes\": ", counts.corrupted_bytes, "}\n");
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("carries TCP over a link that misbehaves; prints its port when it is ready");
  absl::ParseCommandLine(argc, argv);
  const corefleet::LinkFaults faults = {.cut_after = absl::GetFlag(FLAGS_cut_after),
                                        .half_close_after = absl::GetFlag(FLAGS_half_close_after),
                                        .corrupt_every = absl::GetFlag(FLAGS_corrupt_every),
                                        .stall_after = absl::GetFlag(FLAGS_stall_after),
                                        .stall = absl::GetFlag(FLAGS_stall),
                                        .delay = absl::GetFlag(FLAGS_delay),
                                        .bytes_per_second = absl::GetFlag(FLAGS_bytes_per_second),
                                        .jitter = absl::GetFlag(FLAGS_jitter),
                                        .seed = absl::GetFlag(FLAGS_seed)};
  auto proxy = corefleet::TcpProxy::Listen(absl::GetFlag(FLAGS_port), absl::GetFlag(FLAGS_target_port),
                                           faults, corefleet::Clock::Real());
  if (!proxy.ok()) {
    std::cerr << "corefleet-link: " << proxy.status() << "\n";
    return 2;
  }
  running = proxy->get();
  std::signal(SIGTERM, OnSignal);
  std::signal(SIGINT, OnSignal);
  std::cout << (*proxy)->port() << std::endl;
  (*proxy)->Run();
  if (!absl::GetFlag(FLAGS_counts).empty())
    std::ofstream(absl::GetFlag(FLAGS_counts)) << Json((*proxy)->counts());
  return 0;
}
