#ifndef COREFLEET_TESTS_BENCH_LOAD_DEVICE_H_
#define COREFLEET_TESTS_BENCH_LOAD_DEVICE_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "corefleet/v1/ingest.grpc.pb.h"
#include "tests/bench/load/chunk_sender.h"
#include "tests/bench/load/crash_body.h"
#include "tests/bench/load/ledger.h"

namespace corefleet {

// How devices reach the server.
struct Connection {
  std::string address;
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::string tls_name;  // whom the server's certificate is to name, if not the address
};

// Credentials out of PEM files; with no `ca_file` there is no TLS. INVALID_ARGUMENT for a file that cannot be
// read.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(const std::string& ca_file,
                                                                          const std::string& certificate_file,
                                                                          const std::string& key_file);

// A channel with a connection of its own.
std::shared_ptr<grpc::Channel> MakeConnection(const Connection& connection);

// How one try to bring a crash to the server ended.
struct UploadOutcome {
  enum class Kind {
    kStored,
    kAlreadyStored,  // the server had it: never, unless an earlier answer was lost
    kRefused,        // the server said no and may be asked again
    kRejected,       // it said no for good
    kFailed,         // it broke more often than the device had patience for
  };
  Kind kind = Kind::kFailed;
  std::string reason;          // of a refusal: ErrorInfo's, or the status code's name
  absl::Duration retry_delay;  // what the refusal asks for; zero if it says nothing
  bool delay_stated = false;
  absl::Duration took;  // from BeginCrash to the answer that it is stored, breaks included
  std::string crash;    // the id
  uint64_t raw_bytes = 0;
  uint64_t sent_bytes = 0;  // of chunks, repeated ones every time
  int breaks = 0;
};

// Uploads crashes one after the other over its own connection, each as the device that it happened to. One
// thread.
class Device {
 public:
  struct Options {
    Connection connection;
    SendingHabits habits;
    bool reconnect = false;    // for each crash, as devices that crash seldom do
    bool name_devices = true;  // false: the certificate says who it is
    uint64_t fleet = 100'000;  // crash number N happened to device N modulo this
    int max_breaks = 1000;
  };

  // `ledger` may be null; all must outlive it.
  Device(Options options, Clock* clock, Ledger* ledger);

  // Connects now instead of with the first crash. Gives up after a minute: the first crash tries again then.
  void WaitUntilConnected();

  UploadOutcome Upload(const StampedCrash& crash, uint64_t crash_number);

 private:
  struct Journey;

  // One try to get to the end. OK when `journey` has its outcome.
  grpc::Status Attempt(Journey* journey);
  grpc::Status Begin(Journey* journey);
  grpc::Status Learn(Journey* journey);
  grpc::Status SendAndFinish(Journey* journey);
  void Stored(Journey* journey, const std::string& crash, bool before);
  // False when it is over.
  bool Recover(const grpc::Status& status, Journey* journey);
  void Connect();
  std::unique_ptr<grpc::ClientContext> Context() const;

  const Options options_;
  Clock* const clock_;
  Ledger* const ledger_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::CrashIngest::Stub> stub_;
};

// What a refusal says about itself: google.rpc.ErrorInfo's reason and RetryInfo's delay, if they are there.
struct RefusedOffer {
  std::string reason;
  bool delay_stated = false;
  absl::Duration delay;
};
RefusedOffer ReadRefusal(const grpc::Status& status);

const char* CodeName(grpc::StatusCode code);

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_LOAD_DEVICE_H_
