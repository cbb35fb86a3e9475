#include "storage/facts_json.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace corefleet {
namespace {

using Json = nlohmann::json;

// Every struct is described once, and both directions follow the description. `Visitor` is Writer or Reader.

template <typename Visitor>
void Describe(Visitor& v, RegionFacts& region) {
  v("name", region.name);
  v("file_name", region.file_name);
  v("id", region.id);
  v("paddr", region.paddr);
  v("vaddr", region.vaddr);
  v("size", region.size);
  v("received", region.received);
  v("state", region.state);
  v("sha256", region.sha256);
  v("index", region.index);
}

template <typename Visitor>
void Describe(Visitor& v, Defect& defect) {
  v("code", defect.code);
  v("region", defect.region);
  v("detail", defect.detail);
}

template <typename Visitor>
void Describe(Visitor& v, TaintFacts& taint) {
  v("mask", taint.mask);
  v("before_mask", taint.before_mask);
  v("letters", taint.letters);
}

template <typename Visitor>
void Describe(Visitor& v, CpuFacts& cpus) {
  v("possible", cpus.possible);
  v("present", cpus.present);
  v("online", cpus.online);
  v("active", cpus.active);
}

template <typename Visitor>
void Describe(Visitor& v, LogFacts& log) {
  v("records", log.records);
  v("text_lost", log.text_lost);
  v("lost", log.lost);
  v("first_seq", log.first_seq);
  v("last_seq", log.last_seq);
  v("last_ts_nsec", log.last_ts_nsec);
  v("method", log.method);
}

template <typename Visitor>
void Describe(Visitor& v, Ability& ability) {
  v("kind", ability.kind);
  v("answer", ability.answer);
  v("detail", ability.detail);
}

template <typename Visitor, typename T>
void Describe(Visitor& v, Fact<T>& fact) {
  v("value", fact.value);
  v("from", fact.from);
}

template <typename Visitor>
void DescribeSummary(Visitor& v, CrashFacts& facts) {
  v("analyzer_version", facts.analyzer_version);
  v("state", facts.state);
  v("release", facts.release);
  v("version", facts.version);
  v("banner", facts.banner);
  v("build_id", facts.build_id);
  v("arch", facts.arch);
  v("git_commit", facts.git_commit);
  v("config_sha256", facts.config_sha256);
  v("page_size", facts.page_size);
  v("kaslr_offset", facts.kaslr_offset);
  v("command_line", facts.command_line);
  v("panic_reason", facts.panic_reason);
  v("uptime_seconds", facts.uptime_seconds);
  v("taint", facts.taint);
  v("cpus", facts.cpus);
  v("log", facts.log);
  v("series", facts.series);
  v("source", facts.source);
}

template <typename Visitor>
void Describe(Visitor& v, CrashFacts& facts) {
  DescribeSummary(v, facts);
  v("regions", facts.regions);
  v("defects", facts.defects);
  v("abilities", facts.abilities);
}

constexpr int kLastProvenance = static_cast<int>(Provenance::kDerived);
constexpr int kLastCrashState = static_cast<int>(CrashState::kUnreadable);
constexpr int kLastRegionState = static_cast<int>(RegionState::kOpaque);

class Writer {
 public:
  template <typename T>
  void operator()(const char* key, T& value) {
    json_[key] = ToJson(value);
  }
  // Without a value there is no key.
  template <typename T>
  void operator()(const char* key, std::optional<T>& value) {
    if (value) json_[key] = ToJson(*value);
  }
  Json Take() { return std::move(json_); }

 private:
  static Json ToJson(std::string& text) {
    return absl::StrReplaceAll(text, {{absl::string_view("\0", 1), "\\x00"}});
  }
  static Json ToJson(CrashState state) { return static_cast<int>(state); }
  static Json ToJson(RegionState state) { return static_cast<int>(state); }
  static Json ToJson(Provenance from) { return std::string(ProvenanceName(from)); }
  static Json ToJson(Ability::Kind kind) { return std::string(AbilityName(kind)); }
  static Json ToJson(Ability::Answer answer) { return std::string(AnswerName(answer)); }
  static Json ToJson(DefectCode code) { return std::string(DefectCodeName(code)); }
  template <typename T>
  static Json ToJson(std::vector<T>& values) {
    Json array = Json::array();
    for (T& value : values) array.push_back(ToJson(value));
    return array;
  }
  template <typename T>
  static Json ToJson(T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      return value;
    } else {
      Writer writer;
      Describe(writer, value);
      return writer.Take();
    }
  }

  Json json_ = Json::object();
};

class Reader {
 public:
  explicit Reader(const Json& json) : json_(json), ok_(json.is_object()) {}

  template <typename T>
  void operator()(const char* key, T& value) {
    if (const Json* found = Find(key)) ok_ = FromJson(*found, value) && ok_;
  }
  template <typename T>
  void operator()(const char* key, std::optional<T>& value) {
    const Json* found = Find(key);
    if (found == nullptr) return;
    T read{};
    ok_ = FromJson(*found, read) && ok_;
    value = std::move(read);
  }
  bool ok() const { return ok_; }

 private:
  const Json* Find(const char* key) const {
    if (!json_.is_object()) return nullptr;
    const auto it = json_.find(key);
    return it == json_.end() ? nullptr : &*it;
  }

  static bool FromJson(const Json& json, std::string& text) {
    if (!json.is_string()) return false;
    text = *json.get_ptr<const std::string*>();
    return true;
  }
  static bool FromJson(const Json& json, double& value) {
    if (!json.is_number()) return json.is_null();  // an infinity, which JSON cannot say
    value = json.get<double>();
    return true;
  }
  template <typename Enum>
  static bool Numbered(const Json& json, int last, Enum& value) {
    uint32_t number = 0;
    if (!FromJson(json, number) || number > static_cast<uint32_t>(last)) return false;
    value = static_cast<Enum>(number);
    return true;
  }
  static bool FromJson(const Json& json, CrashState& state) { return Numbered(json, kLastCrashState, state); }
  static bool FromJson(const Json& json, RegionState& state) {
    return Numbered(json, kLastRegionState, state);
  }
  template <typename Enum>
  static bool Named(const Json& json, int last, absl::string_view (*name)(Enum), Enum& value) {
    std::string text;
    if (!FromJson(json, text)) return false;
    for (int i = 0; i <= last; ++i) {
      value = static_cast<Enum>(i);
      if (name(value) == text) return true;
    }
    return false;
  }
  static bool FromJson(const Json& json, Provenance& from) {
    return Named(json, kLastProvenance, &ProvenanceName, from);
  }
  static bool FromJson(const Json& json, DefectCode& code) {
    return Named(json, static_cast<int>(kLastDefectCode), &DefectCodeName, code);
  }
  static bool FromJson(const Json& json, Ability::Kind& kind) {
    return Named(json, static_cast<int>(kLastAbility), &AbilityName, kind);
  }
  static bool FromJson(const Json& json, Ability::Answer& answer) {
    return Named(json, static_cast<int>(Ability::Answer::kYes), &AnswerName, answer);
  }
  // A newer version's defects and abilities are skipped; everything else must be right.
  static bool IsKnown(const Json& json, const Defect*) {
    DefectCode code;
    return !json.is_object() || !json.contains("code") || !json["code"].is_string() ||
           FromJson(json["code"], code);
  }
  static bool IsKnown(const Json& json, const Ability*) {
    Ability::Kind kind;
    return !json.is_object() || !json.contains("kind") || !json["kind"].is_string() ||
           FromJson(json["kind"], kind);
  }
  template <typename T>
  static bool IsKnown(const Json&, const T*) {
    return true;
  }
  template <typename T>
  static bool FromJson(const Json& json, std::vector<T>& values) {
    if (!json.is_array()) return false;
    for (const Json& element : json) {
      T value{};
      if (!IsKnown(element, &value)) continue;
      if (!FromJson(element, value)) return false;
      values.push_back(std::move(value));
    }
    return true;
  }
  template <typename T>
  static bool FromJson(const Json& json, T& value) {
    if constexpr (std::is_unsigned_v<T>) {
      if (!json.is_number_unsigned() || json.get<uint64_t>() > std::numeric_limits<T>::max()) return false;
      value = json.get<T>();
      return true;
    } else {
      Reader reader(json);
      Describe(reader, value);
      return reader.ok();
    }
  }

  const Json& json_;
  bool ok_;
};

}  // namespace

std::string EncodeFacts(const CrashFacts& facts, FactsDetail detail) {
  CrashFacts copy = facts;
  if (copy.uptime_seconds && !std::isfinite(copy.uptime_seconds->value)) copy.uptime_seconds.reset();
  Writer writer;
  if (detail == FactsDetail::kAll) {
    Describe(writer, copy);
  } else {
    DescribeSummary(writer, copy);
  }
  return writer.Take().dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

absl::StatusOr<CrashFacts> DecodeFacts(absl::string_view json) {
  const Json parsed = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return absl::DataLossError("stored facts are not a JSON object");
  CrashFacts facts;
  Reader reader(parsed);
  Describe(reader, facts);
  if (!reader.ok()) return absl::DataLossError("stored facts have a field of the wrong type");
  return facts;
}

}  // namespace corefleet
