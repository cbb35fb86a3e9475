#include "server/admission/admission.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace corefleet {
namespace {

// A device whose turn has come keeps it for so long: a phone sleeps, a modem takes its time.
constexpr absl::Duration kTurnLasts = absl::Minutes(10);
// Clocks of devices run a little differently.
constexpr absl::Duration kEarly = absl::Milliseconds(100);
// Jitter on a place in a queue: a tenth of the way to it, and no more than this.
constexpr absl::Duration kMostJitter = absl::Seconds(30);
constexpr absl::Duration kStoreFullDelay = absl::Minutes(5);
constexpr absl::Duration kAccountEvery = absl::Minutes(1);
// A place so far away says nothing that is still true then.
constexpr absl::Duration kFarthestPlace = absl::Hours(6);

bool InTurn(const DeviceState& device, absl::Time now) {
  return now + kEarly >= device.turn && now < device.turn + kTurnLasts;
}

bool BeforeTurn(const DeviceState& device, absl::Time now) { return now + kEarly < device.turn; }

// A number that the crash's bytes alone decide: asked again, a crash gets the same answer at every server.
uint64_t DrawOf(const CrashUid& uid) {
  uint64_t draw = 0;
  const absl::string_view digits = absl::string_view(uid.value()).substr(0, 16);
  return absl::SimpleHexAtoi(digits, &draw) ? draw : 0;
}

// A device has one place at a time: who asks again before his turn hears the same, and the queue gets no
// longer.
Refused UntilTurn(Refused refused, const DeviceState& device, absl::Time now) {
  refused.delay = device.turn - now;
  return refused;
}

Refused ByRule(RefusalReason reason, const AdmissionRule& rule, absl::string_view otherwise) {
  return {.reason = reason,
          .message = rule.message.empty() ? absl::StrCat("rule ", rule.name, ": ", otherwise) : rule.message,
          .rule = rule.name,
          .delay = rule.retry_after};
}

}  // namespace

Admission::Admission(const AdmissionLimits& limits, const Clock* clock, uint64_t seed)
    : limits_(limits),
      clock_(clock),
      in_flight_(limits.in_flight),
      database_(limits.database),
      rules_(std::make_shared<AdmissionRules>()),
      devices_(limits.devices, DeviceState{.crashes = static_cast<double>(limits.device_burst)}),
      quotas_(limits.quota_kinds),
      fleet_(limits.fleet_burst),
      disk_(limits.min_free_bytes, std::max(limits.free_bytes_again, limits.min_free_bytes)),
      jitter_(seed) {}

void Admission::SetRules(AdmissionRules rules) {
  auto shared = std::make_shared<const AdmissionRules>(std::move(rules));
  absl::MutexLock lock(&mutex_);
  rules_ = std::move(shared);
}

std::shared_ptr<const AdmissionRules> Admission::rules() {
  absl::MutexLock lock(&mutex_);
  return rules_;
}

absl::StatusOr<Grant> Admission::Decide(const AskingCrash& crash, const SessionId& session,
                                        uint64_t free_bytes) {
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mutex_);
  Ruling ruling = RuleOn(*rules_, crash, now);
  if (ruling.refused) return RefusedStatus(*ruling.refused);
  const uint64_t bytes = ruling.terms.want == SessionWant::kAll ? crash.all_to_bring : ruling.log_to_bring;
  // Nothing of it has to travel: it is asked about, and not offered.
  if (crash.stored && bytes == 0) return Grant{std::move(ruling.terms), ruling.ask_again};
  DeviceState* const device = devices_.Touch(*crash.device);
  if (const auto refused = CheckLimits(crash, bytes, free_bytes, now, device)) return RefusedStatus(*refused);
  device->crashes -= limits_.device_crashes_per_hour > 0 ? 1 : 0;
  device->turn = absl::InfinitePast();
  fleet_.Take(CostOf(bytes), now);
  in_flight_.Expect(session, *crash.device, bytes, now);
  if (!ruling.quota.empty()) quotas_.Add(ruling.quota, now);
  return Grant{std::move(ruling.terms), ruling.ask_again};
}

std::optional<Refused> Admission::RefuseAtOnce(const AskingCrash& crash) {
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mutex_);
  DeviceState* const device = devices_.Touch(*crash.device);
  if (InTurn(*device, now)) return std::nullopt;
  const Ruling ruling = RuleOn(*rules_, crash, now);
  if (ruling.refused) return std::nullopt;
  const uint64_t bytes = ruling.terms.want == SessionWant::kAll ? crash.all_to_bring : ruling.log_to_bring;
  // Theirs are delays of another kind.
  if (CheckDevice(device, now) || CheckFleet(bytes, now, device)) return std::nullopt;
  return CheckInFlight(*crash.device, bytes, now, device);
}

Admission::Ruling Admission::RuleOn(const AdmissionRules& rules, const AskingCrash& crash, absl::Time now) {
  Ruling ruling{.terms = {.hints = *crash.hints}};
  if (rules.kill_switch.on) {
    ruling.refused = Later({.reason = RefusalReason::kKillSwitch, .message = rules.kill_switch.message},
                           rules.kill_switch.delay, rules.kill_switch.delay / 2);
    return ruling;
  }
  const OfferedCrash offered{.device = crash.device->value(), .hints = crash.hints, .bytes = crash.bytes};
  for (const AdmissionRule& rule : rules.rules) {
    if (!Fits(rule.match, offered)) continue;
    ruling.terms.rule = rule.name;
    Apply(rule, crash, now, &ruling);
    break;
  }
  if (ruling.refused && ruling.refused->delay) {
    ruling.refused->delay = *ruling.refused->delay + jitter_.Upto(*ruling.refused->delay / 2);
  }
  return ruling;
}

void Admission::Apply(const AdmissionRule& rule, const AskingCrash& crash, absl::Time now, Ruling* ruling) {
  const auto log_only = [&] {
    const LogShare log = crash.log();
    if (log.part == LogPart::kUnknown && rule.refuse_whole) {
      ruling->refused =
          ByRule(RefusalReason::kRule, rule, "only its log is wanted, and it comes whole or not at all");
    } else if (log.part == LogPart::kSome) {
      ruling->terms.want = SessionWant::kLogOnly;
      ruling->log_to_bring = log.to_bring;
      ruling->ask_again = rule.ask_again;
    }
  };
  switch (rule.action) {
    case RuleAction::kAccept:
      return;
    case RuleAction::kSample:
      ruling->terms.weight = rule.one_in;
      if (DrawOf(*crash.uid) % rule.one_in != 0) {
        ruling->refused =
            ByRule(RefusalReason::kSampledOut, rule, absl::StrCat("one in ", rule.one_in, " is taken"));
      }
      return;
    case RuleAction::kLogOnly:
      return log_only();
    case RuleAction::kRefuse:
      ruling->refused = ByRule(RefusalReason::kRule, rule, "such crashes are not taken");
      return;
    case RuleAction::kQuota:
      break;
  }
  const std::string key = QuotaKey(rule.name, crash.hints->build_id, crash.hints->panic);
  if (quotas_.Count(key, now) < rule.full_per_day) {
    ruling->quota = key;
  } else if (rule.then_refuse) {
    ruling->refused = ByRule(RefusalReason::kQuota, rule, "enough of its kind came today");
  } else {
    log_only();
  }
}

std::optional<Refused> Admission::CheckLimits(const AskingCrash& crash, uint64_t bytes, uint64_t free_bytes,
                                              absl::Time now, DeviceState* device) {
  if (auto refused = CheckDevice(device, now)) return refused;
  if (auto refused = CheckFleet(bytes, now, device)) return refused;
  if (auto refused = CheckInFlight(*crash.device, bytes, now, device)) return refused;
  if (!disk_.HasRoom(bytes, free_bytes, in_flight_.remaining())) {
    return Later({.reason = RefusalReason::kStoreFull,
                  .message = absl::StrCat("the server's store is full: ", free_bytes, " bytes are left"),
                  .limit = "min_free_bytes"},
                 kStoreFullDelay, kStoreFullDelay);
  }
  if (const auto delay = database_.Busy(now)) {
    return Later({.reason = RefusalReason::kDatabaseBusy, .message = "the server's database is behind"},
                 *delay, *delay);
  }
  return std::nullopt;
}

std::optional<Refused> Admission::CheckDevice(DeviceState* device, absl::Time now) {
  if (limits_.device_crashes_per_hour <= 0) return std::nullopt;
  const double per_second = limits_.device_crashes_per_hour / 3600;
  if (now > device->refilled && device->refilled != absl::InfinitePast()) {
    device->crashes = std::min<double>(
        limits_.device_burst, device->crashes + per_second * absl::ToDoubleSeconds(now - device->refilled));
  }
  device->refilled = now;
  if (device->crashes >= 1) return std::nullopt;
  const absl::Duration needs = absl::Seconds((1 - device->crashes) / per_second);
  return Later({.reason = RefusalReason::kDeviceRate,
                .message = "this device brings crashes too fast",
                .limit = "device_crashes_per_hour"},
               needs, needs / 10);
}

absl::Duration Admission::CostOf(uint64_t bytes) const {
  absl::Duration cost;
  if (limits_.fleet_crashes_per_second > 0) cost = absl::Seconds(1 / limits_.fleet_crashes_per_second);
  if (limits_.fleet_bytes_per_second > 0) {
    cost = std::max(cost, absl::Seconds(bytes / limits_.fleet_bytes_per_second));
  }
  return cost;
}

std::optional<Refused> Admission::CheckFleet(uint64_t bytes, absl::Time now, DeviceState* device) {
  const absl::Duration cost = CostOf(bytes);
  const bool in_turn = InTurn(*device, now);
  if (fleet_.CanTake(cost, now, in_turn)) return std::nullopt;
  const bool by_bytes =
      limits_.fleet_crashes_per_second <= 0 || cost > absl::Seconds(1 / limits_.fleet_crashes_per_second);
  Refused refused{.reason = RefusalReason::kFleetRate,
                  .message = "all devices together bring more than the server takes",
                  .limit = by_bytes ? "fleet_bytes_per_second" : "fleet_crashes_per_second"};
  if (BeforeTurn(*device, now)) return UntilTurn(std::move(refused), *device, now);
  // Who comes in his turn and finds no credit is not sent to the end of the queue again.
  const absl::Duration place = in_turn ? fleet_.UntilCredit(cost, now) : fleet_.NextPlace(cost, now);
  return SendAway(std::move(refused), place, now, device);
}

std::optional<Refused> Admission::CheckInFlight(const DeviceId& name, uint64_t bytes, absl::Time now,
                                                DeviceState* device) {
  const bool in_turn = InTurn(*device, now);
  switch (in_flight_.RoomFor(name, bytes, now, in_turn)) {
    case BytesInFlight::Room::kFree:
      return std::nullopt;
    case BytesInFlight::Room::kDeviceFull:
      return Later({.reason = RefusalReason::kBytesInFlight,
                    .message = "this device has enough under way; it may bring that first",
                    .limit = "bytes_in_flight"},
                   limits_.in_flight.silence, limits_.in_flight.silence);
    case BytesInFlight::Room::kFull:
      break;
  }
  Refused refused{.reason = RefusalReason::kServerBusy,
                  .message = "the server is busy with the crashes that it has let in",
                  .limit = "long_wait"};
  if (in_flight_.standing(now).at_most) {
    refused.reason = RefusalReason::kBytesInFlight;
    refused.message = "open uploads have enough to bring";
    refused.limit = "bytes_in_flight";
  }
  if (BeforeTurn(*device, now)) return UntilTurn(std::move(refused), *device, now);
  // Who comes in his turn and finds no room is not sent to the end of the queue again.
  const absl::Duration place = in_turn ? in_flight_.WaitInTurn(bytes, now) : in_flight_.Wait(bytes, now);
  return SendAway(std::move(refused), place, now, device);
}

Refused Admission::SendAway(Refused refused, absl::Duration place, absl::Time now, DeviceState* device) {
  if (place > kFarthestPlace) return Later(std::move(refused), kFarthestPlace / 2, kFarthestPlace / 2);
  refused = Later(std::move(refused), place, std::min(place / 10, kMostJitter));
  device->turn = now + *refused.delay;
  return refused;
}

Refused Admission::Later(Refused refused, absl::Duration least, absl::Duration spread) {
  // No delay at all would be a busy loop.
  refused.delay = std::max(least + jitter_.Upto(spread), absl::Milliseconds(10));
  return refused;
}

std::optional<absl::Duration> Admission::AskAgainOf(const std::string& rule) {
  const auto all = rules();
  const auto found = std::find_if(all->rules.begin(), all->rules.end(),
                                  [&](const AdmissionRule& one) { return one.name == rule; });
  return found == all->rules.end() ? std::nullopt : found->ask_again;
}

bool Admission::TakesAccount(const DeviceId& device, uint64_t fingerprint) {
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mutex_);
  DeviceState* const state = devices_.Touch(device);
  const bool recent = now >= state->reported && now - state->reported < kAccountEvery;
  if (state->report == fingerprint || recent) return false;
  state->report = fingerprint;
  state->reported = now;
  return true;
}

AdmissionStanding Admission::standing() {
  const absl::Time now = clock_->Now();
  AdmissionStanding standing{.in_flight = in_flight_.standing(now),
                             .database_busy = database_.Busy(now).has_value()};
  absl::MutexLock lock(&mutex_);
  standing.kill_switch = rules_->kill_switch.on;
  standing.rules = rules_->rules.size();
  standing.queue = std::max(fleet_.queue(now), standing.in_flight.queue);
  standing.store_full = disk_.full();
  standing.devices = devices_.size();
  return standing;
}

}  // namespace corefleet
