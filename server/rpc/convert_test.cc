#include "server/rpc/convert.h"

#include <gtest/gtest.h>

#include <functional>

namespace corefleet {
namespace {

TEST(ConvertTest, ManifestKeepsEveryField) {
  v1::BeginCrashRequest request;
  v1::ManifestRegion* region = request.add_regions();
  region->set_kind(v1::ADDRESS_TABLE);
  region->set_file_name("a\xff.BIN");
  region->set_name("n");
  region->set_id(7);
  region->set_paddr(0x1000);
  region->set_table_size(9);
  region->set_size(5);
  region->set_root(std::string(32, '\x11'));
  const auto offer = FromProto(request);
  ASSERT_TRUE(offer.ok()) << offer.status();
  Sha256Digest root;
  root.fill(0x11);
  EXPECT_EQ(offer->manifest.regions.at(0), (ManifestRegion{.kind = RegionKind::kAddressTable,
                                                           .file_name = "a\xff.BIN",
                                                           .name = "n",
                                                           .id = 7,
                                                           .paddr = 0x1000,
                                                           .table_size = 9,
                                                           .size = 5,
                                                           .root = root}));
}

TEST(ConvertTest, AnOfferCarriesHintsAndAccount) {
  v1::BeginCrashRequest request;
  request.set_device("d");
  request.set_note("n");
  v1::CrashHints* hints = request.mutable_hints();
  hints->set_build_id("abc");
  hints->set_kernel_release("6.1");
  hints->set_panic(std::string(300, 'p'));
  hints->set_os_version("14");
  hints->set_source("pstore");
  hints->mutable_captured_at()->set_seconds(1000);
  hints->set_priority(2);
  request.mutable_account()->set_epoch("e");
  request.mutable_account()->set_spooled(3);
  for (int i = 0; i < 40; ++i) {
    v1::DeviceLoss* loss = request.mutable_account()->add_lost();
    loss->set_reason("spool_age");
    loss->set_count(i);
  }
  const auto offer = FromProto(request);
  ASSERT_TRUE(offer.ok()) << offer.status();
  EXPECT_EQ(offer->device, "d");
  EXPECT_EQ(offer->note, "n");
  EXPECT_EQ(offer->hints, (CrashHints{.build_id = "abc",
                                      .kernel_release = "6.1",
                                      .panic = std::string(256, 'p'),
                                      .os_version = "14",
                                      .source = "pstore",
                                      .captured_at = absl::FromUnixSeconds(1000),
                                      .priority = 2}));
  ASSERT_TRUE(offer->account.has_value());
  EXPECT_EQ(offer->account->epoch, "e");
  EXPECT_EQ(offer->account->spooled, 3u);
  ASSERT_EQ(offer->account->lost.size(), 32u);
  EXPECT_EQ(offer->account->lost[31], (ReasonCount{"spool_age", 31}));

  hints->mutable_captured_at()->set_nanos(-1);
  hints->set_os_version("\xff");
  EXPECT_EQ(FromProto(request)->hints.captured_at, std::nullopt);
  EXPECT_EQ(FromProto(request)->hints.os_version, "\\xff");
}

TEST(ConvertTest, TheAnswerSaysWhatIsWantedAndWhy) {
  SessionStatus status{.session = SessionId("s"),
                       .created = true,
                       .want = Want::kLogOnly,
                       .rule = "known-bug",
                       .weight = 10,
                       .ask_again = absl::Milliseconds(1500)};
  v1::BeginCrashResponse response;
  ToProto(status, IngestLimits(), &response);
  EXPECT_EQ(response.state(), v1::BeginCrashResponse::NEW);
  EXPECT_EQ(response.want(), v1::WANT_LOG_ONLY);
  EXPECT_EQ(response.rule(), "known-bug");
  EXPECT_EQ(response.weight(), 10u);
  EXPECT_EQ(response.ask_again().seconds(), 1);
  EXPECT_EQ(response.ask_again().nanos(), 500'000'000);
  status.created = false;
  status.want = Want::kAll;
  status.ask_again.reset();
  // Reopened: the crash is stored, and more of it is on its way.
  status.crash = CrashId::Make(absl::FromUnixSeconds(1), {1});
  v1::BeginCrashResponse reopened;
  ToProto(status, IngestLimits(), &reopened);
  EXPECT_EQ(reopened.state(), v1::BeginCrashResponse::RESUMING);
  EXPECT_EQ(reopened.crash(), status.crash.ToString());
  EXPECT_FALSE(reopened.has_ask_again());
}

TEST(ConvertTest, RefusesRootsAndKindsThatAreNone) {
  v1::BeginCrashRequest request;
  v1::ManifestRegion* region = request.add_regions();
  region->set_root("short");
  EXPECT_TRUE(absl::IsInvalidArgument(FromProto(request).status()));
  region->set_root(std::string(32, 'x'));
  region->set_kind(static_cast<v1::RegionKind>(257));  // 1 in a byte
  EXPECT_TRUE(absl::IsInvalidArgument(Validate(FromProto(request)->manifest)));
  for (int i = 0; i < 1024; ++i) *request.add_regions() = *region;
  EXPECT_TRUE(absl::IsInvalidArgument(FromProto(request).status()));
}

TEST(ConvertTest, FilterKnowsMainlinesLetters) {
  v1::CrashFilter filter;
  filter.set_taint("WO");
  EXPECT_EQ(FromProto(filter)->taint_all, (1u << 9) | (1u << 12));
  filter.set_taint("D");
  EXPECT_EQ(FromProto(filter)->taint_all, 1u << 7);
  for (const char* wrong : {"w", "WZ", "?", " ", "G\xff"}) {
    // Not through the wire, which refuses the last one itself.
    filter.set_taint(wrong);
    EXPECT_TRUE(absl::IsInvalidArgument(FromProto(filter).status())) << wrong;
  }
}

TEST(ConvertTest, FilterRefusesWhatFitsNothing) {
  const auto code = [](const std::function<void(v1::CrashFilter*)>& change) {
    v1::CrashFilter filter;
    change(&filter);
    return FromProto(filter).status().code();
  };
  constexpr auto kRefused = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code([](auto* f) { f->set_device("two words"); }), kRefused);
  EXPECT_EQ(code([](auto* f) { f->set_state(static_cast<v1::Crash::State>(77)); }), kRefused);
  EXPECT_EQ(code([](auto* f) { f->mutable_since()->set_seconds(INT64_MAX); }), kRefused);
  EXPECT_EQ(code([](auto* f) { f->mutable_until()->set_nanos(-1); }), kRefused);
  EXPECT_EQ(code([](auto* f) { f->set_untainted(true), f->set_taint("W"); }), kRefused);
  EXPECT_EQ(code([](auto* f) { f->set_build(std::string(300, 'a')); }), kRefused);
  EXPECT_EQ(code([](auto* f) {}), absl::StatusCode::kOk);
}

TEST(ConvertTest, FilterStatesAndTimes) {
  v1::CrashFilter filter;
  filter.set_state(v1::Crash::LOG_ONLY);
  filter.mutable_since()->set_seconds(1000);
  filter.mutable_since()->set_nanos(5);
  const auto domain = FromProto(filter);
  ASSERT_TRUE(domain.ok());
  EXPECT_EQ(domain->state, CrashState::kLogOnly);
  EXPECT_EQ(domain->since, absl::FromUnixSeconds(1000) + absl::Nanoseconds(5));
  EXPECT_FALSE(domain->until.has_value());
}

StoredCrash Sample() {
  StoredCrash crash;
  crash.id = CrashId::Make(absl::FromUnixMillis(1'800'000'000'123), {1, 2, 3});
  crash.device = DeviceId("dev");
  crash.received_at = absl::FromUnixMillis(1'800'000'000'123);
  crash.state = CrashState::kPartial;
  crash.facts.emplace();
  crash.facts->state = CrashState::kPartial;
  crash.facts->release = {{"6.1.0", Provenance::kSymbol}};
  crash.facts->taint.mask = {{uint64_t{1} << 9 | uint64_t{1} << 12, Provenance::kSymbol}};
  crash.facts->taint.letters = "WO";
  crash.facts->regions.push_back({.name = "Kprb", .file_name = "md_\xff", .state = RegionState::kTruncated});
  crash.facts->defects.push_back({.code = DefectCode::kRegionTruncated, .region = "Kprb", .detail = "cut"});
  return crash;
}

TEST(ConvertTest, CrashSaysStatesFactsAndTheirSources) {
  v1::Crash crash;
  ToProto(Sample(), Detail::kEverything, &crash);
  EXPECT_EQ(crash.state(), v1::Crash::PARTIAL);
  EXPECT_EQ(crash.received_at().nanos(), 123'000'000);
  EXPECT_EQ(crash.kernel().release(), "6.1.0");
  EXPECT_EQ(crash.sources().at("kernel.release"), "symbol");
  EXPECT_TRUE(crash.taint().known());
  EXPECT_EQ(crash.taint().letters(), "WO");
  ASSERT_EQ(crash.taint().flags_size(), 2);
  EXPECT_EQ(crash.taint().flags(1).bit(), 12u);
  EXPECT_EQ(crash.taint().flags(1).letter(), "O");
  EXPECT_EQ(crash.regions(0).state(), v1::Region::TRUNCATED);
  EXPECT_EQ(crash.regions(0).file_name(), "md_\\xff");
  EXPECT_EQ(crash.defects(0).code(), "REGION_TRUNCATED");
  EXPECT_FALSE(crash.has_uptime_seconds());
}

TEST(ConvertTest, ASummaryLeavesOutRegionsAndDefects) {
  v1::Crash crash;
  ToProto(Sample(), Detail::kSummary, &crash);
  EXPECT_EQ(crash.regions_size() + crash.defects_size(), 0);
  EXPECT_EQ(crash.kernel().release(), "6.1.0");
}

TEST(ConvertTest, ListsSayOnWhatTermsACrashCameAndHowMuchOfItIsHere) {
  StoredCrash stored = Sample();
  stored.want = SessionWant::kLogOnly;
  stored.rule = "fifth";
  stored.weight = 5;
  stored.raw_bytes = 100;
  stored.here_bytes = 40;
  stored.revision = 2;
  stored.os_version = "14\xff";
  stored.source = "pstore";
  stored.captured_at = absl::FromUnixMillis(1'700'000'000'250);
  v1::Crash crash;
  ToProto(stored, Detail::kSummary, &crash);
  EXPECT_EQ(crash.terms().want(), v1::Terms::LOG_ONLY);
  EXPECT_EQ(crash.terms().rule(), "fifth");
  EXPECT_EQ(crash.terms().weight(), 5u);
  EXPECT_EQ(crash.raw_bytes(), 100u);
  EXPECT_EQ(crash.here_bytes(), 40u);
  EXPECT_EQ(crash.revision(), 2u);
  EXPECT_EQ(crash.device_word().os_version(), "14\\xff");
  EXPECT_EQ(crash.device_word().source(), "pstore");
  EXPECT_EQ(crash.device_word().captured_at().nanos(), 250'000'000);
}

TEST(ConvertTest, TermsOfAnOrdinaryCrashAreSaidToo) {
  v1::Crash crash;
  ToProto(Sample(), Detail::kSummary, &crash);
  EXPECT_EQ(crash.terms().want(), v1::Terms::ALL);
  EXPECT_EQ(crash.terms().rule(), "");
  EXPECT_EQ(crash.terms().weight(), 1u);
  EXPECT_FALSE(crash.device_word().has_captured_at());
}

TEST(ConvertTest, ACrashWithoutFactsIsReceived) {
  StoredCrash stored;
  v1::Crash crash;
  ToProto(stored, Detail::kEverything, &crash);
  EXPECT_EQ(crash.state(), v1::Crash::RECEIVED);
  EXPECT_FALSE(crash.taint().known());
}

}  // namespace
}  // namespace corefleet
