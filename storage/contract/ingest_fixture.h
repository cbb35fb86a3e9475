#ifndef COREFLEET_STORAGE_CONTRACT_INGEST_FIXTURE_H_
#define COREFLEET_STORAGE_CONTRACT_INGEST_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "storage/contract/crash_index_fixture.h"

namespace corefleet {

inline SessionTerms TermsOf(SessionWant want, const std::string& rule, uint32_t weight) {
  SessionTerms terms{.want = want, .rule = rule, .weight = weight};
  terms.hints = {.build_id = "abcdef",
                 .kernel_release = "6.6.58",
                 .panic = "Kernel panic - \"not\" syncing \\ {x}",
                 .os_version = "OS 4.2 \xc3\xbc",
                 .source = "folder",
                 .captured_at = kNow - kDay,
                 .priority = UINT32_MAX};
  return terms;
}

// An empty index of each engine, and sessions with terms in it.
class IngestTest : public CrashIndexTest {
 protected:
  Session BeginWith(int number, const SessionTerms& terms) {
    const auto begun = index_->BeginSession(DeviceId("lab-1"), ManifestNumber(number), "note", terms,
                                            FreshSession(), kNow, kNow + kDay);
    EXPECT_TRUE(begun.ok()) << begun.status();
    return begun->session;
  }
  // A crash of which only the log was wanted: pack 1 is there.
  struct PartialCrash {
    SessionId session;
    CrashId crash;
  };
  PartialCrash LogOnly(int number) {
    const SessionId id = BeginWith(number, TermsOf(SessionWant::kLogOnly, "logs", 50)).id;
    EXPECT_TRUE(index_->AddPack(id, PackNumber(1)).ok());
    return {id, *index_->FinishSession(id, FreshCrash(), {.raw = 100, .here = 40, .stored = 20})};
  }
  IngestAccount Account() {
    const auto account = index_->Account();
    EXPECT_TRUE(account.ok()) << account.status();
    EXPECT_EQ(account->Difference(), 0);
    return *account;
  }
  bool AwaitsAnalysis(const CrashId& crash, absl::Time now = kNow) {
    const auto leases = *index_->ClaimAnalysis(100, now, now);
    return std::any_of(leases.begin(), leases.end(), [&](const auto& lease) { return lease.crash == crash; });
  }
};

}  // namespace corefleet

#endif  // COREFLEET_STORAGE_CONTRACT_INGEST_FIXTURE_H_
