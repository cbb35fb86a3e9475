#include "core/simulate/simulate.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/analyze.h"
#include "core/build/config.h"
#include "core/rebuild.h"
#include "core/simulate/received.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

// Small log buffers: most of a region set is log, and these tests make hundreds of them.
constexpr uint32_t kSmallLog = 15;

struct Read {
  Rebuilt rebuilt;
  Analysis analysis;
  const CrashFacts& facts() const { return analysis.facts; }
};

Read ReadCrash(const SimulatedCrash& crash) {
  Read read;
  read.rebuilt = Rebuild(ReceivedFrom(crash.files), nullptr);
  read.analysis = Analyze(read.rebuilt.image, read.rebuilt.set);
  return read;
}

SimulatedCrash Make(const SimulationOptions& options) {
  absl::StatusOr<SimulatedCrash> crash = Simulate(options);
  EXPECT_TRUE(crash.ok()) << crash.status();
  return crash.ok() ? *std::move(crash) : SimulatedCrash();
}

SimulationOptions With(absl::string_view release, Architecture architecture, SimulatedSource source,
                       CrashKind kind, uint64_t seed = 1) {
  SimulationOptions options;
  options.kernel.release = std::string(release);
  options.kernel.architecture = architecture;
  options.kernel.seed = seed;
  options.source = source;
  options.crash = kind;
  options.log_shift = kSmallLog;
  return options;
}

std::string Name(const SimulationOptions& options) {
  return absl::StrCat(options.kernel.release, " ", ArchitectureName(options.kernel.architecture), " ",
                      EntryOf(options.source).name, " ", CrashKindName(options.crash), " ",
                      absl::StrJoin(options.damages, ",",
                                    [](std::string* out, const Damage& damage) {
                                      absl::StrAppend(out, EntryOf(damage).name, "=", damage.argument);
                                    }),
                      " seed ", options.kernel.seed);
}

std::string Defects(const CrashFacts& facts) {
  return absl::StrJoin(facts.defects, "\n", [](std::string* out, const Defect& defect) {
    absl::StrAppend(out, DefectCodeName(defect.code), " [", defect.region, "] ", defect.detail);
  });
}

bool Has(const CrashFacts& facts, DefectCode code) {
  return std::any_of(facts.defects.begin(), facts.defects.end(),
                     [&](const Defect& defect) { return defect.code == code; });
}

template <typename T>
T Value(const MaybeFact<T>& fact) {
  EXPECT_TRUE(fact.has_value());
  return fact ? fact->value : T();
}

std::string LogText(std::vector<LogRecord> records) {
  KernelLog log;
  log.records = std::move(records);
  return RenderRaw(log);
}

// The first line where they part: whole logs are no message for a person.
std::string FirstDifference(const std::string& got, const std::string& want) {
  const std::vector<std::string> left = absl::StrSplit(got, '\n'), right = absl::StrSplit(want, '\n');
  size_t at = 0;
  while (at < left.size() && at < right.size() && left[at] == right[at]) ++at;
  if (at == left.size() && at == right.size()) return "";
  return absl::StrCat("line ", at, " of ", left.size(), ", wanted ", right.size(),
                      "\n got: ", at < left.size() ? left[at] : "-",
                      "\nwant: ", at < right.size() ? right[at] : "-");
}

void ExpectIdentity(const SimulatedTruth& truth, const CrashFacts& facts) {
  EXPECT_EQ(Value(facts.release), truth.release);
  EXPECT_EQ(Value(facts.version), truth.version);
  EXPECT_EQ(Value(facts.banner), truth.banner);
  if (truth.build_id.empty()) {
    EXPECT_FALSE(facts.build_id);
  } else {
    EXPECT_EQ(Value(facts.build_id), truth.build_id);
  }
  EXPECT_EQ(Value(facts.arch), truth.arch);
  EXPECT_EQ(Value(facts.page_size), truth.page_size);
  EXPECT_EQ(Value(facts.kaslr_offset), truth.kaslr_offset);
  EXPECT_EQ(Value(facts.command_line), truth.command_line);
  EXPECT_EQ(Value(facts.config_sha256), ConfigSha256(truth.config));
}

void ExpectState(const SimulatedTruth& truth, const CrashFacts& facts) {
  std::vector<uint32_t> cpus(truth.cpus);
  for (uint32_t cpu = 0; cpu < truth.cpus; ++cpu) cpus[cpu] = cpu;
  EXPECT_EQ(Value(facts.cpus.possible), cpus);
  EXPECT_EQ(Value(facts.cpus.online), cpus);
  EXPECT_EQ(Value(facts.taint.mask), truth.taint);
  EXPECT_NEAR(Value(facts.uptime_seconds), truth.uptime_seconds, 1e-6);
  if (truth.panic_reason.empty()) {
    EXPECT_FALSE(facts.panic_reason);
  } else {
    EXPECT_EQ(Value(facts.panic_reason), truth.panic_reason);
    EXPECT_EQ(Value(facts.taint.before_mask), truth.taint_before);
  }
}

void ExpectEverything(const SimulatedTruth& truth, const Read& read) {
  EXPECT_EQ(read.facts().state, CrashState::kComplete);
  EXPECT_EQ(Defects(read.facts()), "");
  ExpectIdentity(truth, read.facts());
  ExpectState(truth, read.facts());
  EXPECT_EQ(FirstDifference(RenderRaw(read.analysis.log), LogText(truth.log)), "");
}

// A dump of the whole machine has no ids: what only an id names is not found in it.
void ExpectDump(const SimulatedTruth& truth, const Read& read) {
  EXPECT_EQ(read.facts().state, CrashState::kComplete) << Defects(read.facts());
  EXPECT_EQ(Value(read.facts().release), truth.release);
  EXPECT_EQ(Value(read.facts().version), truth.version);
  EXPECT_EQ(Value(read.facts().panic_reason), truth.panic_reason);
  EXPECT_EQ(Value(read.facts().kaslr_offset), truth.kaslr_offset);
  EXPECT_EQ(FirstDifference(RenderRaw(read.analysis.log), LogText(truth.log)), "");
}

void ExpectLog(const SimulatedTruth& truth, const Read& read) {
  EXPECT_EQ(read.facts().state, CrashState::kLogOnly) << Defects(read.facts());
  if (!truth.panic_reason.empty()) {
    EXPECT_EQ(Value(read.facts().panic_reason), truth.panic_reason);
  }
  EXPECT_EQ(FirstDifference(RenderRaw(read.analysis.log), LogText(truth.log)), "");
}

void ExpectUnexplained(const SimulatedTruth& truth, const Read& read) {
  EXPECT_EQ(Value(read.facts().release), truth.release) << Defects(read.facts());
  EXPECT_EQ(Value(read.facts().panic_reason), truth.panic_reason);
  EXPECT_EQ(FirstDifference(RenderRaw(read.analysis.log), LogText(truth.log)), "");
}

void ExpectTruth(const SimulationOptions& options) {
  SCOPED_TRACE(Name(options));
  const SimulatedCrash crash = Make(options);
  const Read read = ReadCrash(crash);
  if (crash.truth.remains == Remains::kMemory && !crash.truth.series.empty())
    return ExpectEverything(crash.truth, read);
  if (crash.truth.remains == Remains::kForeign) {
    EXPECT_FALSE(read.facts().release);
    return;
  }
  if (crash.truth.remains == Remains::kUnexplained) return ExpectUnexplained(crash.truth, read);
  if (crash.truth.remains == Remains::kMemory) return ExpectDump(crash.truth, read);
  if (crash.truth.remains == Remains::kLog) return ExpectLog(crash.truth, read);
  EXPECT_EQ(Value(read.facts().release), crash.truth.release) << Defects(read.facts());
}

constexpr absl::string_view kReleases[] = {"4.19.0", "5.4.0", "5.10.0", "6.1.0", "6.6.0", "6.12.0"};
constexpr Architecture kArchitectures[] = {Architecture::kArm64, Architecture::kX86_64};

TEST(SimulateTest, EveryKernelTellsTheTruth) {
  for (const absl::string_view release : kReleases) {
    for (const Architecture architecture : kArchitectures)
      ExpectTruth(With(release, architecture, SimulatedSource::kMeminspectV1, CrashKind::kOops));
  }
}

TEST(SimulateTest, EverySourceTellsTheTruth) {
  for (const SourceEntry& source : AllSources()) {
    for (const uint64_t seed : {1, 2, 3}) {
      const auto kind = static_cast<CrashKind>(seed);
      ExpectTruth(With("6.6.0", kArchitectures[seed % 2], source.source, kind, seed));
      if (source.source == SimulatedSource::kVendorMinidump) continue;
      ExpectTruth(With("5.4.0", kArchitectures[seed % 2], source.source, kind, seed));
    }
  }
}

TEST(SimulateTest, EveryDeathTellsTheTruth) {
  uint64_t seed = 10;
  for (const CrashKindEntry& kind : AllCrashKinds()) {
    for (const Architecture architecture : kArchitectures) {
      for (const absl::string_view release : {"5.10.0", "6.12.0"})
        ExpectTruth(With(release, architecture, SimulatedSource::kMeminspectV2, kind.kind, ++seed));
    }
  }
}

TEST(SimulateTest, EveryPageSizeTellsTheTruth) {
  for (const uint64_t page_size : {4096, 16384, 65536}) {
    SimulationOptions options =
        With("6.6.0", Architecture::kArm64, SimulatedSource::kMeminspectV3, CrashKind::kBug, page_size);
    options.kernel.page_size = page_size;
    ExpectTruth(options);
    options.kernel.kaslr_seed = 0;
    ExpectTruth(options);
  }
}

TEST(SimulateTest, ManyCpusAreManyRunqueues) {
  for (const uint32_t cpus : {1, 8, 128}) {
    SimulationOptions options =
        With("6.12.0", Architecture::kX86_64, SimulatedSource::kMeminspectV1, CrashKind::kSoftLockup);
    options.kernel.cpus = cpus;
    ExpectTruth(options);
  }
}

TEST(SimulateTest, ALargerBufferIsFollowed) {
  for (const SimulatedSource source : {SimulatedSource::kMeminspectV1, SimulatedSource::kMeminspectV2}) {
    SimulationOptions options = With("6.6.0", Architecture::kArm64, source, CrashKind::kOops);
    options.big_log_shift = 16;
    ExpectTruth(options);
  }
}

// The kernel's own bug: the text of a larger buffer is not registered, what the early one has is all there
// is.
TEST(SimulateTest, SeriesThreeLosesTheTextOfALargerBuffer) {
  SimulationOptions options =
      With("6.6.0", Architecture::kArm64, SimulatedSource::kMeminspectV3, CrashKind::kOops);
  options.big_log_shift = 16;
  const SimulatedCrash crash = Make(options);
  const Read read = ReadCrash(crash);
  EXPECT_TRUE(Has(read.facts(), DefectCode::kLogTextLost));
  EXPECT_TRUE(Has(read.facts(), DefectCode::kRegionEmptyHeader));
  EXPECT_EQ(FirstDifference(RenderRaw(read.analysis.log), LogText(crash.truth.log)), "");
}

TEST(SimulateTest, ARingThatWrappedHasTheNewest) {
  SimulationOptions options =
      With("6.6.0", Architecture::kArm64, SimulatedSource::kMeminspectV1, CrashKind::kOops);
  options.log_shift = 12;
  const SimulatedCrash crash = Make(options);
  const Read read = ReadCrash(crash);
  EXPECT_LT(crash.truth.log.size(), 100u);
  EXPECT_GT(crash.truth.log.front().seq, 0u);
  EXPECT_EQ(FirstDifference(RenderRaw(read.analysis.log), LogText(crash.truth.log)), "");
}

TEST(SimulateTest, TheSameSeedGivesTheSameBytes) {
  for (const SourceEntry& source : AllSources()) {
    SimulationOptions options = With("6.1.0", Architecture::kArm64, source.source, CrashKind::kOom, 7);
    options.damages = *ParseDamages("bit-flips=5,cut");
    const auto bytes = [](const SimulatedCrash& crash) {
      std::vector<std::pair<std::string, std::vector<uint8_t>>> all;
      for (const SimulatedFile& file : crash.files) all.emplace_back(file.name, file.bytes);
      return all;
    };
    const auto first = bytes(Make(options));
    EXPECT_EQ(first, bytes(Make(options))) << source.name;
    options.kernel.seed = 8;
    EXPECT_NE(first, bytes(Make(options))) << source.name;
  }
}

TEST(SimulateTest, TwoDevicesWithOneBuildHaveOneKernel) {
  const auto truth = [](uint64_t seed) {
    return Make(With("6.6.0", Architecture::kArm64, SimulatedSource::kMeminspectV1, CrashKind::kOops, seed))
        .truth;
  };
  const SimulatedTruth first = truth(1), second = truth(2);
  EXPECT_EQ(first.build_id, second.build_id);
  EXPECT_EQ(first.banner, second.banner);
  EXPECT_EQ(first.config, second.config);
  EXPECT_NE(first.kaslr_offset, second.kaslr_offset);
  EXPECT_NE(LogText(first.log), LogText(second.log));
}

// The bytes of every region that damage did not touch are where they were.
void ExpectRestUnharmed(const SimulatedCrash& crash, const Read& read, size_t may_be_lost) {
  size_t lost = 0;
  for (const SimulatedRegion& region : crash.truth.regions) {
    if (region.vaddr == 0 || region.bytes.empty()) continue;
    std::vector<uint8_t> bytes(region.bytes.size());
    const bool there = read.rebuilt.image.ReadVirtual(region.vaddr, absl::MakeSpan(bytes)).ok();
    if (!there || bytes != region.bytes) ++lost;
  }
  EXPECT_LE(lost, may_be_lost) << Defects(read.facts());
}

struct DamageCase {
  const char* damages;
  size_t regions_lost;
};

TEST(SimulateTest, DamageIsNamedAndHarmsNothingElse) {
  const DamageCase cases[] = {
      {"missing", 1},
      {"missing=linux_banner", 1},
      {"missing,missing", 2},
      {"truncated", 1},
      {"overlong", 0},
      {"duplicate", 0},
      {"duplicate-differs", 1},
      {"notes", 0},
      {"vmcoreinfo-cut", 0},
      {"no-vmcoreinfo", 0},
      {"stale-load", 0},
      {"empty-load", 0},
      {"no-descs", 1},
      {"no-infos", 1},
      {"torn-ring", 0},
      {"ring-head", 0},
      {"no-table", 0},
      {"no-table,missing", 1},
      {"no-table,truncated", 1},
      {"missing=init_uts_ns,duplicate,stale-load,torn-ring", 1},
  };
  for (const DamageCase& each : cases) {
    for (const Architecture architecture : kArchitectures) {
      for (uint64_t seed = 1; seed <= 6; ++seed) {
        SimulationOptions options =
            With("6.6.0", architecture, SimulatedSource::kMeminspectV1, CrashKind::kOops, seed);
        options.damages = *ParseDamages(each.damages);
        SCOPED_TRACE(Name(options));
        const SimulatedCrash crash = Make(options);
        const Read read = ReadCrash(crash);
        ExpectRestUnharmed(crash, read, each.regions_lost);
        for (const DefectCode code : crash.truth.defects)
          EXPECT_TRUE(Has(read.facts(), code)) << DefectCodeName(code) << "\n" << Defects(read.facts());
      }
    }
  }
}

TEST(SimulateTest, ALostPartIsNamed) {
  for (const SimulatedSource source : {SimulatedSource::kPstoreEfi, SimulatedSource::kPstoreErst}) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      SimulationOptions options = With("6.6.0", Architecture::kX86_64, source, CrashKind::kOops, seed);
      options.damages = *ParseDamages("missing-part");
      SCOPED_TRACE(Name(options));
      const Read read = ReadCrash(Make(options));
      EXPECT_TRUE(Has(read.facts(), DefectCode::kRecordPartMissing)) << Defects(read.facts());
    }
  }
}

TEST(SimulateTest, StorageThatEndedIsNamed) {
  for (const char* damage : {"insufficient-storage", "consumed-mark"}) {
    SimulationOptions options =
        With("6.6.0", Architecture::kArm64, SimulatedSource::kRawDump, CrashKind::kOops);
    options.damages = *ParseDamages(damage);
    SCOPED_TRACE(Name(options));
    const SimulatedCrash crash = Make(options);
    const Read read = ReadCrash(crash);
    EXPECT_TRUE(Has(read.facts(), crash.truth.defects.front())) << Defects(read.facts());
    EXPECT_EQ(Value(read.facts().release), crash.truth.release);
  }
}

TEST(SimulateTest, SwappedNamesAreSeen) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimulationOptions options =
        With("6.6.0", Architecture::kArm64, SimulatedSource::kMeminspectV1, CrashKind::kOops, seed);
    options.damages = *ParseDamages("swapped-names");
    SCOPED_TRACE(Name(options));
    const SimulatedCrash crash = Make(options);
    const Read read = ReadCrash(crash);
    ExpectRestUnharmed(crash, read, 0);
    EXPECT_TRUE(Has(read.facts(), DefectCode::kRegionMislabelled)) << Defects(read.facts());
  }
}

TEST(SimulateTest, WithoutAHeaderTheTableAndTheTextPlaceEverything) {
  for (const Architecture architecture : kArchitectures) {
    SimulationOptions options = With("6.6.0", architecture, SimulatedSource::kMeminspectV1, CrashKind::kOops);
    options.damages = *ParseDamages("no-header");
    SCOPED_TRACE(Name(options));
    const SimulatedCrash crash = Make(options);
    const Read read = ReadCrash(crash);
    EXPECT_TRUE(Has(read.facts(), DefectCode::kHeaderMissing));
    EXPECT_EQ(Value(read.facts().release), crash.truth.release);
    EXPECT_EQ(FirstDifference(RenderRaw(read.analysis.log), LogText(crash.truth.log)), "")
        << Defects(read.facts());
  }
}

TEST(SimulateTest, ATornRingKeepsEveryOtherRecord) {
  SimulationOptions options =
      With("6.12.0", Architecture::kArm64, SimulatedSource::kMeminspectV1, CrashKind::kPanic);
  options.damages = *ParseDamages("torn-ring");
  const SimulatedCrash crash = Make(options);
  const std::string text = RenderRaw(ReadCrash(crash).analysis.log);
  for (const LogRecord& record : crash.truth.log)
    EXPECT_TRUE(absl::StrContains(text, record.text)) << record.text;
}

TEST(SimulateTest, BitFlipsAreSurvived) {
  for (const SourceEntry& source : AllSources()) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      SimulationOptions options =
          With("6.6.0", kArchitectures[seed % 2], source.source, CrashKind::kOops, seed);
      options.damages = *ParseDamages("bit-flips=2000");
      const Read read = ReadCrash(Make(options));
      EXPECT_NE(read.facts().state, CrashState::kReceived) << Name(options);
    }
  }
}

TEST(SimulateTest, RefusesWhatCannotBe) {
  const auto refusal = [](const SimulationOptions& options) {
    return std::string(Simulate(options).status().message());
  };
  SimulationOptions good =
      With("6.6.0", Architecture::kX86_64, SimulatedSource::kMeminspectV1, CrashKind::kOops);
  for (const char* release : {"", "six", "6.6", "2.6.32", "6.6.0 ", "6.6.0\n"}) {
    SimulationOptions options = good;
    options.kernel.release = release;
    EXPECT_TRUE(absl::StrContains(refusal(options), "release")) << release;
  }
  SimulationOptions options = good;
  options.kernel.page_size = 16384;
  EXPECT_TRUE(absl::StrContains(refusal(options), "pages"));
  options = good;
  options.kernel.cpus = 0;
  EXPECT_TRUE(absl::StrContains(refusal(options), "CPUs"));
  options = good;
  options.log_shift = 40;
  EXPECT_TRUE(absl::StrContains(refusal(options), "buffer"));
  options = good;
  options.damages = *ParseDamages("missing=nobody");
  EXPECT_TRUE(absl::StrContains(refusal(options), "nobody"));
  options.damages = *ParseDamages("consumed-mark");
  EXPECT_TRUE(absl::StrContains(refusal(options), "consumed-mark"));
  options = good;
  options.source = SimulatedSource::kPstoreEfi;
  options.crash = CrashKind::kHang;
  EXPECT_TRUE(absl::StrContains(refusal(options), "hang"));
  options = good;
  options.kernel.release = "5.4.0";
  options.damages = *ParseDamages("torn-ring");
  EXPECT_TRUE(absl::StrContains(refusal(options), "5.10"));
}

TEST(DamageTest, TheTableIsInTheOrderOfTheKinds) {
  for (size_t i = 0; i < AllDamages().size(); ++i)
    EXPECT_EQ(static_cast<size_t>(AllDamages()[i].kind), i) << AllDamages()[i].name;
}

TEST(SimulateTest, TheSourcesAreInTheirOrder) {
  for (size_t i = 0; i < AllSources().size(); ++i)
    EXPECT_EQ(static_cast<size_t>(AllSources()[i].source), i) << AllSources()[i].name;
  EXPECT_EQ(AllSources().back().source, SimulatedSource::kCoprocessor);
}

TEST(DamageTest, Parses) {
  const auto damages = ParseDamages("bit-flips=3,missing=Kprb_info");
  ASSERT_TRUE(damages.ok());
  EXPECT_EQ(EntryOf((*damages)[0]).name, "missing");
  EXPECT_EQ((*damages)[0].argument, "Kprb_info");
  EXPECT_EQ((*damages)[1].count, 3u);
  EXPECT_TRUE(ParseDamages("")->empty());
  for (const char* bad : {"nothing", "bit-flips", "bit-flips=0", "bit-flips=x", "notes=3"})
    EXPECT_FALSE(ParseDamages(bad).ok()) << bad;
}

}  // namespace
}  // namespace corefleet
