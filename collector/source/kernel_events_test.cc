#include "collector/source/kernel_events.h"

#include <sys/socket.h>

#include <string>

#include "gtest/gtest.h"

namespace corefleet {
namespace {

std::string Message(const std::string& action, const std::string& subsystem) {
  using namespace std::string_literals;
  return action + "@/devices/virtual/x\0ACTION="s + action + "\0DEVPATH=/devices/virtual/x\0SUBSYSTEM="s +
         subsystem + "\0SEQNUM=4711\0"s;
}

TEST(KernelEventsTest, KnowsWhatADumpLooksLike) {
  EXPECT_TRUE(TellsOfDump(BytesOf(Message("add", "devcoredump"))));
  EXPECT_FALSE(TellsOfDump(BytesOf(Message("remove", "devcoredump"))));
  EXPECT_TRUE(TellsOfDump(BytesOf(Message("change", "remoteproc"))));
  EXPECT_FALSE(TellsOfDump(BytesOf(Message("add", "block"))));
  EXPECT_FALSE(TellsOfDump(BytesOf("libudev" + Message("add", "devcoredump").substr(20))));
  EXPECT_FALSE(TellsOfDump({}));
  EXPECT_FALSE(TellsOfDump(BytesOf(std::string(100000, '\0'))));
  const std::string cut = Message("add", "devcoredump");
  for (size_t size = 0; size < cut.size(); ++size) TellsOfDump(BytesOf(cut).first(size));
}

class FakeKernel {
 public:
  FakeKernel() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends_), 0); }
  OwnedFd TakeEnd() { return OwnedFd(ends_[0]); }
  void Send(const std::string& message) {
    EXPECT_EQ(send(ends_[1], message.data(), message.size(), 0), static_cast<ssize_t>(message.size()));
  }
  ~FakeKernel() { OwnedFd close(ends_[1]); }

 private:
  int ends_[2];
};

TEST(KernelEventsTest, TakesAllThatWasSaid) {
  FakeKernel kernel;
  KernelEvents events(kernel.TakeEnd());
  EXPECT_GE(events.descriptor(), 0);
  EXPECT_FALSE(events.Take());
  kernel.Send(Message("add", "block"));
  EXPECT_FALSE(events.Take());
  kernel.Send(Message("add", "devcoredump"));
  kernel.Send(Message("add", "block"));
  EXPECT_TRUE(events.Take());
  EXPECT_FALSE(events.Take());
}

TEST(KernelEventsTest, TheRealOneListensOrSaysThatItCannot) {
  KernelEvents events;
  if (events.descriptor() < 0) GTEST_SKIP() << "the kernel's event socket is not to be had here";
  // Whatever this machine does meanwhile, it must not block.
  events.Take();
}

}  // namespace
}  // namespace corefleet
