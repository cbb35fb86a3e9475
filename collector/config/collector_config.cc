#include "collector/config/collector_config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <unistd.h>

#include <initializer_list>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "collector/config/units.h"
#include "collector/source/file_bytes.h"
#include "core/bytes/byte_view.h"
#include "core/bytes/escape.h"
#include "corefleet/v1/collector_config.pb.h"

namespace corefleet {
namespace {

using google::protobuf::TextFormat;

constexpr uint64_t kMaxFileBytes = 1 << 20;
constexpr size_t kMaxServers = 8;
constexpr size_t kMaxSources = 64;
constexpr size_t kMaxNoteBytes = 1024;
constexpr uint64_t kKiB = 1024, kMiB = kKiB << 10, kGiB = kMiB << 10, kTiB = kGiB << 10;

constexpr const char* kDefaultSources[] = {"/sys/fs/pstore", "/var/lib/systemd/pstore",
                                           "/sys/class/devcoredump", "/var/crash"};
constexpr const char* kDefaultMetered[] = {"wwan*", "rmnet*", "ppp*"};

// A field's place in the file: the names that lead to it, each with the index of a repeated one.
struct Step {
  const char* name;
  int index = -1;
};
using FieldPath = std::vector<Step>;

// Gathers what is wrong, with the line that it stands in.
class Complaints {
 public:
  explicit Complaints(const TextFormat::ParseInfoTree* places) : places_(places) {}

  void Add(const FieldPath& path, absl::string_view what) {
    const int line = LineOf(path);
    lines_.push_back(
        absl::StrCat(line > 0 ? absl::StrCat("line ", line, ": ") : "", NameOf(path), ": ", what));
  }

  absl::Status Verdict() const {
    return lines_.empty() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
  }

 private:
  static std::string NameOf(const FieldPath& path) {
    return absl::StrJoin(path, ".", [](std::string* out, const Step& step) {
      absl::StrAppend(out, step.name, step.index < 0 ? "" : absl::StrCat("[", step.index, "]"));
    });
  }

  // 0 when the field is not there.
  int LineOf(const FieldPath& path) const {
    const TextFormat::ParseInfoTree* tree = places_;
    const google::protobuf::Descriptor* message = v1::CollectorConfig::descriptor();
    for (size_t i = 0; i < path.size() && tree != nullptr; ++i) {
      const google::protobuf::FieldDescriptor* const field = message->FindFieldByName(path[i].name);
      // protobuf ends the program when it is asked for a repeated field as a whole.
      if (field->is_repeated() != (path[i].index >= 0)) return 0;
      if (i + 1 == path.size()) return tree->GetLocation(field, path[i].index).line + 1;
      tree = tree->GetTreeForNested(field, path[i].index);
      message = field->message_type();
    }
    return 0;
  }

  const TextFormat::ParseInfoTree* places_;
  std::vector<std::string> lines_;
};

class SyntaxErrors final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (lines_.size() < 20)
      lines_.push_back(absl::StrCat("line ", line + 1, ": ", EscapeForTerminal(message)));
  }
  std::string text() const { return absl::StrJoin(lines_, "\n"); }

 private:
  std::vector<std::string> lines_;
};

// Turns one message's texts into values within bounds.
class Reader {
 public:
  Reader(Complaints* complaints, FieldPath prefix) : complaints_(complaints), prefix_(std::move(prefix)) {}

  void Span(const char* name, const std::string& text, absl::Duration low, absl::Duration high,
            absl::Duration* out) {
    if (text.empty()) return;
    const absl::StatusOr<absl::Duration> span = ParseSpan(text);
    if (!span.ok())
      return Wrong(name, absl::StrCat("'", EscapeForTerminal(text), "' ", span.status().message()));
    if (*span < low || *span > high) {
      return Wrong(name, absl::StrCat("is ", FormatSpan(*span), ", allowed are ", FormatSpan(low), " to ",
                                      FormatSpan(high)));
    }
    *out = *span;
  }

  void Bytes(const char* name, const std::string& text, uint64_t low, uint64_t high, uint64_t* out) {
    if (text.empty()) return;
    const absl::StatusOr<uint64_t> bytes = ParseBytes(text);
    if (!bytes.ok())
      return Wrong(name, absl::StrCat("'", EscapeForTerminal(text), "' ", bytes.status().message()));
    if (*bytes < low || *bytes > high) {
      return Wrong(name, absl::StrCat("is ", FormatBytes(*bytes), ", allowed are ", FormatBytes(low), " to ",
                                      FormatBytes(high)));
    }
    *out = *bytes;
  }

  template <typename Number>
  void Count(const char* name, Number value, Number high, Number* out) {
    if (value == 0) return;
    if (value > high) return Wrong(name, absl::StrCat("is ", value, ", allowed are 1 to ", high));
    *out = value;
  }

  void Path(const char* name, const std::string& text, std::string* out) {
    if (text.empty()) return;
    if (text[0] != '/' || text.find('\0') != std::string::npos || text.size() > 4000) {
      return Wrong(name, absl::StrCat("'", EscapeForTerminal(text), "' is no path from the root"));
    }
    *out = text;
  }

  void Wrong(const char* name, absl::string_view what, int index = -1) {
    FieldPath path = prefix_;
    path.push_back({name, index});
    complaints_->Add(path, what);
  }

 private:
  Complaints* complaints_;
  FieldPath prefix_;
};

std::string HostOf(absl::string_view address) {
  const size_t colon = address.rfind(':');
  absl::string_view host = address.substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

bool IsAddress(absl::string_view address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  return colon != absl::string_view::npos && colon > 0 && address.size() <= 300 &&
         address.find_first_of(" \t\r\n/") == absl::string_view::npos &&
         absl::SimpleAtoi(address.substr(colon + 1), &port) && port > 0 && port < 65536;
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

void ReadServers(const v1::CollectorConfig& file, Reader* reader, CollectorConfig* config) {
  if (file.server().empty()) reader->Wrong("server", "is missing: HOST:PORT of the server's devices' port");
  if (static_cast<size_t>(file.server_size()) > kMaxServers)
    reader->Wrong("server", "at most 8", kMaxServers);
  for (int i = 0; i < file.server_size(); ++i) {
    const std::string& address = file.server(i);
    if (!IsAddress(address)) {
      reader->Wrong("server", absl::StrCat("'", EscapeForTerminal(address), "' is no HOST:PORT"), i);
    } else if (!file.has_tls() && !file.insecure() && !IsLoopback(HostOf(address))) {
      reader->Wrong("server", "is not on this machine: give tls { }, or say insecure: true", i);
    }
    config->servers.push_back(address);
  }
}

void ReadTls(const v1::CollectorConfig& file, Complaints* complaints, CollectorConfig* config) {
  Reader reader(complaints, {{"tls"}});
  config->tls.in_use = file.has_tls();
  reader.Path("root_file", file.tls().root_file(), &config->tls.root_file);
  reader.Path("certificate_file", file.tls().certificate_file(), &config->tls.certificate_file);
  reader.Path("key_file", file.tls().key_file(), &config->tls.key_file);
  config->tls.server_name = file.tls().server_name();
  if (file.tls().certificate_file().empty() != file.tls().key_file().empty()) {
    reader.Wrong(file.tls().key_file().empty() ? "certificate_file" : "key_file", "needs the other one, too");
  }
  if (file.has_tls() && file.insecure()) {
    complaints->Add({{"insecure"}}, "contradicts tls: plaintext is never used where there is TLS");
  }
}

SourceSettings ReadSource(const v1::SourceConfig& file, int index, Complaints* complaints) {
  Reader reader(complaints, {{"source", index}});
  SourceSettings source;
  if (file.path().empty()) reader.Wrong("path", "is missing");
  reader.Path("path", file.path(), &source.path);
  reader.Path("kinfo", file.kinfo(), &source.kinfo);
  source.release = !file.keep();
  reader.Span("settle", file.settle(), absl::Seconds(1), absl::Hours(1), &source.settle);
  reader.Span("patience", file.patience(), absl::Seconds(1), absl::Hours(24), &source.patience);
  if (source.patience < source.settle) reader.Wrong("patience", "is shorter than settle");
  return source;
}

void ReadSources(const v1::CollectorConfig& file, Complaints* complaints, CollectorConfig* config) {
  if (static_cast<size_t>(file.source_size()) > kMaxSources) {
    complaints->Add({{"source", kMaxSources}}, "at most 64");
    return;
  }
  for (int i = 0; i < file.source_size(); ++i)
    config->sources.push_back(ReadSource(file.source(i), i, complaints));
  if (!config->sources.empty()) return;
  for (const char* path : kDefaultSources) config->sources.push_back({.path = path});
}

void ReadSpool(const v1::SpoolConfig& file, Complaints* complaints, SpoolLimits* limits) {
  Reader reader(complaints, {{"spool"}});
  reader.Bytes("max_bytes", file.max_bytes(), kMiB, kTiB, &limits->max_bytes);
  reader.Bytes("min_free_bytes", file.min_free_bytes(), 0, kTiB, &limits->min_free_bytes);
  reader.Count<uint64_t>("min_free_inodes", file.min_free_inodes(), 1'000'000'000, &limits->min_free_inodes);
  reader.Count<uint32_t>("max_entries", file.max_entries(), 100'000, &limits->max_entries);
  reader.Span("max_age", file.max_age(), absl::Hours(1), absl::Hours(24 * 3650), &limits->max_age);
  reader.Bytes("max_crash_bytes", file.max_crash_bytes(), 64 * kKiB, kTiB, &limits->max_crash_bytes);
}

OnMeteredLink MeteredFrom(v1::CollectorConfig::MeteredPolicy policy) {
  if (policy == v1::CollectorConfig::ALLOW) return OnMeteredLink::kAllow;
  return policy == v1::CollectorConfig::LOG_ONLY ? OnMeteredLink::kLogOnly : OnMeteredLink::kNever;
}

void ReadMetered(const v1::UploadConfig& file, Reader* reader, CollectorConfig* config) {
  config->on_metered = MeteredFrom(file.metered());
  reader->Path("metered_file", file.metered_file(), &config->metered_file);
  for (const std::string& pattern : file.metered_interface()) {
    if (pattern != "-") config->metered_interfaces.push_back(pattern);
  }
  if (file.metered_interface().empty()) {
    config->metered_interfaces.assign(std::begin(kDefaultMetered), std::end(kDefaultMetered));
  }
}

void ReadUpload(const v1::UploadConfig& file, Complaints* complaints, CollectorConfig* config) {
  Reader reader(complaints, {{"upload"}});
  UploadSchedule::Options* const schedule = &config->schedule;
  reader.Span("interval", file.interval(), absl::Seconds(1), absl::Hours(24 * 7), &schedule->interval);
  if (file.has_start_jitter()) {
    schedule->start_jitter = file.start_jitter();
    // Written so that what is no number is wrong, too.
    if (!(file.start_jitter() >= 0 && file.start_jitter() <= 1))
      reader.Wrong("start_jitter", "allowed are 0 to 1");
  }
  reader.Span("first_delay", file.first_delay(), absl::Milliseconds(100), absl::Hours(24),
              &schedule->first_delay);
  reader.Span("max_delay", file.max_delay(), absl::Milliseconds(100), absl::Hours(24), &schedule->max_delay);
  if (schedule->max_delay < schedule->first_delay) reader.Wrong("max_delay", "is shorter than first_delay");
  reader.Count<uint32_t>("crashes_per_day", file.crashes_per_day(), 1'000'000,
                         &config->budget.crashes_per_day);
  reader.Bytes("bytes_per_day", file.bytes_per_day(), 256 * kKiB, kTiB, &config->budget.bytes_per_day);
  reader.Bytes("bytes_per_second", file.bytes_per_second(), 4 * kKiB, kGiB, &config->budget.bytes_per_second);
  config->budget.strict = file.strict_budget();
  ReadMetered(file, &reader, config);
}

void ReadTop(const v1::CollectorConfig& file, const ConfigDefaults& defaults, Complaints* complaints,
             CollectorConfig* config) {
  Reader reader(complaints, {});
  ReadServers(file, &reader, config);
  const absl::StatusOr<DeviceId> device =
      ParseDeviceId(file.device().empty() ? defaults.device : file.device());
  if (device.ok()) {
    config->device = *device;
  } else {
    reader.Wrong("device", device.status().message());
  }
  config->note = file.note();
  if (file.note().size() > kMaxNoteBytes) reader.Wrong("note", "is longer than 1024 bytes");
  reader.Path("state_dir", file.state_dir(), &config->state_dir);
  reader.Path("consent_file", file.consent_file(), &config->consent_file);
  reader.Path("metrics_file", file.metrics_file(), &config->metrics_file);
  if (!file.metrics_file().empty() && !absl::EndsWith(file.metrics_file(), ".prom")) {
    reader.Wrong("metrics_file", "has to end in .prom: node_exporter reads no others");
  }
  config->insecure = file.insecure();
  config->verbose = file.verbose();
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0' ? "unnamed" : name;
}

void FillUpload(const CollectorConfig& config, v1::UploadConfig* file) {
  file->set_interval(FormatSpan(config.schedule.interval));
  file->set_start_jitter(config.schedule.start_jitter);
  file->set_first_delay(FormatSpan(config.schedule.first_delay));
  file->set_max_delay(FormatSpan(config.schedule.max_delay));
  file->set_crashes_per_day(config.budget.crashes_per_day);
  file->set_bytes_per_day(FormatBytes(config.budget.bytes_per_day));
  file->set_strict_budget(config.budget.strict);
  if (config.budget.bytes_per_second > 0)
    file->set_bytes_per_second(FormatBytes(config.budget.bytes_per_second));
  file->set_metered(config.on_metered == OnMeteredLink::kAllow     ? v1::CollectorConfig::ALLOW
                    : config.on_metered == OnMeteredLink::kLogOnly ? v1::CollectorConfig::LOG_ONLY
                                                                   : v1::CollectorConfig::NEVER);
  file->set_metered_file(config.metered_file);
  for (const std::string& pattern : config.metered_interfaces) file->add_metered_interface(pattern);
  if (config.metered_interfaces.empty()) file->add_metered_interface("-");
}

void FillSpool(const SpoolLimits& limits, v1::SpoolConfig* file) {
  file->set_max_bytes(FormatBytes(limits.max_bytes));
  file->set_min_free_bytes(FormatBytes(limits.min_free_bytes));
  file->set_min_free_inodes(limits.min_free_inodes);
  file->set_max_entries(limits.max_entries);
  file->set_max_age(FormatSpan(limits.max_age));
  file->set_max_crash_bytes(FormatBytes(limits.max_crash_bytes));
}

}  // namespace

absl::StatusOr<CollectorConfig> ParseCollectorConfig(absl::string_view text, const ConfigDefaults& defaults) {
  SyntaxErrors errors;
  TextFormat::ParseInfoTree places;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&places);
  v1::CollectorConfig file;
  if (!parser.ParseFromString(std::string(text), &file)) return absl::InvalidArgumentError(errors.text());
  Complaints complaints(&places);
  CollectorConfig config;
  ReadTop(file, defaults, &complaints, &config);
  ReadTls(file, &complaints, &config);
  ReadSources(file, &complaints, &config);
  ReadSpool(file.spool(), &complaints, &config.spool);
  ReadUpload(file.upload(), &complaints, &config);
  RETURN_IF_ERROR(complaints.Verdict());
  config.named_by_certificate = file.device().empty() && !config.tls.certificate_file.empty();
  return config;
}

absl::StatusOr<CollectorConfig> ReadCollectorConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const NamedFile file, OpenNamedFile(path));
  if (file.bytes->size() > kMaxFileBytes) {
    return absl::InvalidArgumentError("is larger than 1 MiB: no configuration");
  }
  ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadBytes(*file.bytes, 0, file.bytes->size()));
  return ParseCollectorConfig(TextOf(ByteView(bytes)), {.device = HostName()});
}

std::string EffectiveConfig(const CollectorConfig& config) {
  v1::CollectorConfig file;
  for (const std::string& server : config.servers) file.add_server(server);
  if (!config.named_by_certificate) file.set_device(config.device.value());
  file.set_note(config.note);
  file.set_state_dir(config.state_dir);
  for (const SourceSettings& from : config.sources) {
    v1::SourceConfig* const source = file.add_source();
    source->set_path(from.path);
    source->set_kinfo(from.kinfo);
    source->set_keep(!from.release);
    source->set_settle(FormatSpan(from.settle));
    source->set_patience(FormatSpan(from.patience));
  }
  FillSpool(config.spool, file.mutable_spool());
  file.set_consent_file(config.consent_file);
  FillUpload(config, file.mutable_upload());
  if (config.tls.in_use) {
    file.mutable_tls()->set_root_file(config.tls.root_file);
    file.mutable_tls()->set_certificate_file(config.tls.certificate_file);
    file.mutable_tls()->set_key_file(config.tls.key_file);
    file.mutable_tls()->set_server_name(config.tls.server_name);
  }
  file.set_insecure(config.insecure);
  file.set_metrics_file(config.metrics_file);
  file.set_verbose(config.verbose);
  std::string text;
  TextFormat::PrintToString(file, &text);
  return text;
}

}  // namespace corefleet
