#include "storage/postgres/row_values.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status_macros.h"
#include "core/bytes/escape.h"
#include "storage/facts_json.h"
#include "storage/postgres/hints_json.h"

namespace corefleet {
namespace {

bool ContinuesCharacter(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

std::string ToText(absl::string_view raw, size_t max_bytes) {
  std::string text = absl::StrReplaceAll(Utf8OrHex(raw), {{absl::string_view("\0", 1), "\\x00"}});
  if (text.size() > max_bytes) {
    size_t end = max_bytes;
    while (end > 0 && ContinuesCharacter(text[end])) --end;
    text.resize(end);
  }
  return text;
}

std::string ToTimestamp(absl::Time time) {
  if (time == absl::InfiniteFuture()) return "infinity";
  if (time == absl::InfinitePast()) return "-infinity";
  return absl::FormatTime("%E4Y-%m-%d %H:%M:%E6S+00", time, absl::UTCTimeZone());
}

pqxx::binarystring ToBytea(absl::string_view bytes) { return pqxx::binarystring(bytes.data(), bytes.size()); }

std::string FromBytea(const pqxx::field& field) { return pqxx::binarystring(field).str(); }

std::string TextArray(const std::vector<std::string>& texts) {
  std::string array = "{";
  for (const std::string& text : texts) {
    absl::StrAppend(&array, array.size() == 1 ? "\"" : ",\"",
                    absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
  }
  return array + "}";
}

absl::StatusOr<Session> SessionFromRow(const pqxx::row& row, int first) {
  const auto column = [&](int i) { return row[first + i]; };
  Session session;
  session.id = SessionId(column(0).as<std::string>());
  session.device = DeviceId(column(1).as<std::string>());
  session.uid = CrashUid(column(2).as<std::string>());
  session.state = static_cast<SessionState>(column(3).as<int>());
  if (!column(4).is_null()) {
    ASSIGN_OR_RETURN(session.crash, CrashId::FromUuid(column(4).as<std::string>()));
  }
  session.expires_at =
      column(5).is_null() ? absl::InfiniteFuture() : absl::FromUnixMicros(column(5).as<int64_t>());
  session.note = column(6).as<std::string>();
  if (column(7).is_null()) {
    return absl::DataLossError(absl::StrCat("session ", session.id.value(), " has lost its manifest"));
  }
  ASSIGN_OR_RETURN(session.manifest, DecodeManifest(BytesOf(FromBytea(column(7)))));
  session.terms.want = static_cast<SessionWant>(column(8).as<int>());
  session.terms.rule = column(9).as<std::string>();
  session.terms.weight = static_cast<uint32_t>(column(10).as<int64_t>());
  session.terms.hints = DecodeHints(column(11).c_str());
  session.pack_changes = FromBigint(column(12).as<int64_t>());
  return session;
}

absl::StatusOr<StoredCrash> CrashFromRow(const pqxx::row& row) {
  StoredCrash crash;
  ASSIGN_OR_RETURN(crash.id, CrashId::FromUuid(row[0].as<std::string>()));
  crash.device = DeviceId(row[1].as<std::string>());
  crash.received_at = crash.id.time();
  crash.note = row[2].as<std::string>();
  crash.raw_bytes = FromBigint(row[3].as<int64_t>());
  crash.stored_bytes = FromBigint(row[4].as<int64_t>());
  crash.state = static_cast<CrashState>(row[5].as<int>());
  crash.here_bytes = row[6].is_null() ? crash.raw_bytes : FromBigint(row[6].as<int64_t>());
  crash.want = static_cast<SessionWant>(row[7].as<int>());
  crash.rule = row[8].as<std::string>();
  crash.weight = static_cast<uint32_t>(row[9].as<int64_t>());
  crash.os_version = row[10].as<std::string>();
  crash.source = row[11].as<std::string>();
  if (!row[12].is_null()) crash.captured_at = absl::FromUnixMicros(row[12].as<int64_t>());
  crash.revision = row[13].as<uint32_t>();
  if (!row[14].is_null()) {
    ASSIGN_OR_RETURN(crash.facts, DecodeFacts(row[14].c_str()));
  }
  return crash;
}

absl::StatusOr<std::vector<StoredPack>> PacksFromRows(const pqxx::result& rows) {
  std::vector<StoredPack> packs;
  for (const pqxx::row& row : rows) {
    if (row[0].is_null()) continue;
    StoredPack pack;
    pack.ref = {.key = row[0].as<std::string>(),
                .offset = FromBigint(row[1].as<int64_t>()),
                .size = FromBigint(row[2].as<int64_t>())};
    ASSIGN_OR_RETURN(pack.entries, DecodePackIndex(BytesOf(FromBytea(row[3])), pack.ref.size));
    packs.push_back(std::move(pack));
  }
  return packs;
}

}  // namespace corefleet
