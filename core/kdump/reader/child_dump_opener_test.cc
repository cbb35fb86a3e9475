#include "core/kdump/reader/child_dump_opener.h"

#include <dirent.h>
#include <lzo/lzo1x.h>
#include <signal.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/elf/elf_notes.h"
#include "core/kdump/disk_dump_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace corefleet {
namespace {

using ::testing::HasSubstr;

std::vector<uint8_t> Zlib(ByteView page) {
  std::vector<uint8_t> out(compressBound(page.size()));
  uLongf size = out.size();
  EXPECT_EQ(compress2(out.data(), &size, page.data(), page.size(), 1), Z_OK);
  out.resize(size);
  return out;
}

std::vector<uint8_t> Zstd(ByteView page) {
  std::vector<uint8_t> out(ZSTD_compressBound(page.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), page.data(), page.size(), 1));
  return out;
}

std::vector<uint8_t> Snappy(ByteView page) {
  size_t size = snappy_max_compressed_length(page.size());
  std::vector<uint8_t> out(size);
  EXPECT_EQ(snappy_compress(reinterpret_cast<const char*>(page.data()), page.size(),
                            reinterpret_cast<char*>(out.data()), &size),
            SNAPPY_OK);
  out.resize(size);
  return out;
}

std::vector<uint8_t> Lzo(ByteView page) {
  std::vector<uint8_t> out(page.size() + page.size() / 16 + 67), work(LZO1X_1_MEM_COMPRESS);
  lzo_uint size = out.size();
  EXPECT_EQ(lzo1x_1_compress(page.data(), page.size(), out.data(), &size, work.data()), LZO_E_OK);
  out.resize(size);
  return out;
}

std::vector<uint8_t> PageOf(uint64_t frame) {
  std::vector<uint8_t> page(4096, static_cast<uint8_t>(frame));
  for (size_t i = 0; i < 256; ++i) page[i] = static_cast<uint8_t>(i * frame);
  return page;
}

DiskDumpContents SomeDump() {
  DiskDumpContents contents;
  contents.vmcoreinfo =
      "OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\nSYMBOL(swapper_pg_dir)="
      "ffffffff82000000\n"
      "SYMBOL(init_top_pgt)=ffffffff82000000\nNUMBER(phys_base)=0\nNUMBER(pgtable_l5_enabled)=0\n"
      "NUMBER(KERNEL_IMAGE_SIZE)=1073741824\n";
  AppendNote("CORE", kNotePrstatus, std::vector<uint8_t>(336), &contents.notes);
  AppendNote("VMCOREINFO", kNoteVmcoreinfo, BytesOf(contents.vmcoreinfo), &contents.notes);
  for (const uint64_t frame : {1, 3, 4, 5, 0x1000, 0x1001}) contents.pages[frame] = PageOf(frame);
  return contents;
}

std::vector<std::shared_ptr<const ByteSource>> Sources(const std::vector<std::vector<uint8_t>>& files) {
  std::vector<std::shared_ptr<const ByteSource>> sources;
  for (const auto& file : files) sources.push_back(std::make_shared<MemorySource>(file));
  return sources;
}

class ChildDumpOpenerTest : public ::testing::Test {
 protected:
  ChildDumpOpenerTest() {
    std::string name = absl::StrCat(getenv("TEST_TMPDIR"), "/scratch-XXXXXX");
    options_.scratch_folder = mkdtemp(name.data());
    options_.program = "core/kdump/reader/reader_program";
    options_.min_free_bytes = 0;
  }
  ~ChildDumpOpenerTest() override {
    EXPECT_EQ(rmdir(options_.scratch_folder.c_str()), 0) << "something was left in the scratch folder";
  }

  absl::StatusOr<std::shared_ptr<const DumpedMemory>> Open(
      const std::vector<std::vector<uint8_t>>& files) const {
    return ChildDumpOpener(options_).Open(Sources(files));
  }

  ChildDumpOpener::Options options_;
};

void ExpectPages(const DumpedMemory& memory) {
  std::vector<uint8_t> page(4096);
  for (const auto& [frame, bytes] : SomeDump().pages) {
    ASSERT_TRUE(memory.ReadPhysical(frame * 4096, absl::MakeSpan(page)).ok()) << frame;
    EXPECT_EQ(page, bytes);
  }
  std::vector<uint8_t> three(3 * 4096 - 20);
  ASSERT_TRUE(memory.ReadPhysical(3 * 4096 + 10, absl::MakeSpan(three)).ok());
  EXPECT_EQ(three[0], PageOf(3)[10]);
  EXPECT_EQ(three[4096 + 90], PageOf(4)[100]);
  EXPECT_TRUE(absl::IsNotFound(memory.ReadPhysical(2 * 4096, absl::MakeSpan(page))));
  EXPECT_EQ(memory.PhysicalRunFrom(3 * 4096 + 1, UINT64_MAX), 3u * 4096 - 1);
  EXPECT_EQ(memory.PhysicalRunFrom(0x1000 * 4096, 10), 10u);
  EXPECT_EQ(memory.PhysicalRunFrom(2 * 4096, 10), 0u);
}

TEST_F(ChildDumpOpenerTest, EveryCompression) {
  const std::vector<std::pair<uint32_t, std::vector<uint8_t> (*)(ByteView)>> codecs = {
      {0, nullptr},
      {kDumpCompressedZlib, Zlib},
      {kDumpCompressedLzo, Lzo},
      {kDumpCompressedSnappy, Snappy},
      {kDumpCompressedZstd, Zstd}};
  for (const auto& [status, compress] : codecs) {
    SCOPED_TRACE(status);
    DiskDumpContents contents = SomeDump();
    contents.status = status;
    if (compress != nullptr) contents.compress = compress;
    const auto memory = Open({WriteDiskDump(contents)});
    ASSERT_TRUE(memory.ok()) << memory.status();
    ExpectPages(**memory);
  }
}

TEST_F(ChildDumpOpenerTest, PartsOfASplitDump) {
  DiskDumpContents contents = SomeDump();
  contents.split = true;
  contents.end_frame = 5;
  const std::vector<uint8_t> first = WriteDiskDump(contents);
  contents.first_frame = 5;
  contents.end_frame = 0x1002;
  const auto memory = Open({WriteDiskDump(contents), first});
  ASSERT_TRUE(memory.ok()) << memory.status();
  ExpectPages(**memory);
}

TEST_F(ChildDumpOpenerTest, WhatIsNoDumpIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(Open({{}}).status()) || absl::IsUnimplemented(Open({{}}).status()));
  const auto status = Open({std::vector<uint8_t>(100'000, 'x')}).status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_TRUE(absl::IsInvalidArgument(Open({}).status()));
}

TEST_F(ChildDumpOpenerTest, DamagedAnywhereCostsOnlyTheDump) {
  const std::vector<uint8_t> whole = WriteDiskDump(SomeDump());
  std::vector<uint8_t> page(4096);
  for (size_t size = 0; size < whole.size(); size += whole.size() / 23) {
    const auto memory = Open({{whole.begin(), whole.begin() + size}});
    if (!memory.ok()) continue;
    // libkdumpfile gives zeros for what was cut off; core/kdump/page_index.h is the answer to that.
    (*memory)->ReadPhysical(0x1001 * 4096, absl::MakeSpan(page)).IgnoreError();
    EXPECT_NE(page, PageOf(0x1001)) << size;
  }
  for (size_t at = 8; at < 4096 + 104; at += 4) {
    if (at == 464) at = 4096;
    std::vector<uint8_t> damaged = whole;
    std::fill_n(damaged.begin() + at, 4, 0xff);
    const auto memory = Open({damaged});
    if (memory.ok()) (*memory)->ReadPhysical(4096, absl::MakeSpan(page)).IgnoreError();
  }
}

TEST_F(ChildDumpOpenerTest, LimitsAreKept) {
  const std::vector<uint8_t> file = WriteDiskDump(SomeDump());
  ChildDumpOpener::Options options = options_;
  options.max_bytes = file.size() - 1;
  EXPECT_TRUE(absl::IsResourceExhausted(ChildDumpOpener(options).Open(Sources({file})).status()));
  options = options_;
  options.min_free_bytes = UINT64_MAX / 2;
  EXPECT_TRUE(absl::IsResourceExhausted(ChildDumpOpener(options).Open(Sources({file})).status()));
  options = options_;
  options.scratch_folder = "/nowhere/at/all";
  EXPECT_TRUE(absl::IsUnavailable(ChildDumpOpener(options).Open(Sources({file})).status()));
  options = options_;
  options.max_open = 1;
  const ChildDumpOpener opener(options);
  {
    const auto first = opener.Open(Sources({file}));
    ASSERT_TRUE(first.ok());
    EXPECT_TRUE(absl::IsUnavailable(opener.Open(Sources({file})).status()));
  }
  EXPECT_TRUE(opener.Open(Sources({file})).ok());
}

TEST_F(ChildDumpOpenerTest, AProgramThatIsNoReader) {
  options_.timeout_ms = 2000;
  for (const char* const program : {"/bin/true", "/bin/sleep"}) {
    options_.program = program;
    EXPECT_TRUE(absl::IsInvalidArgument(Open({WriteDiskDump(SomeDump())}).status())) << program;
  }
  options_.program = "/nowhere";
  EXPECT_TRUE(absl::IsUnavailable(Open({WriteDiskDump(SomeDump())}).status()));
}

std::vector<pid_t> Children() {
  std::vector<pid_t> children;
  std::ifstream list(absl::StrCat("/proc/self/task/", gettid(), "/children"));
  for (pid_t pid; list >> pid;) children.push_back(pid);
  return children;
}

TEST_F(ChildDumpOpenerTest, AReaderThatDiesOrHangsCostsItsDump) {
  std::vector<uint8_t> page(4096);
  for (const int signal : {SIGKILL, SIGSTOP}) {
    options_.timeout_ms = 1000;
    const auto memory = Open({WriteDiskDump(SomeDump())});
    ASSERT_TRUE(memory.ok());
    ASSERT_EQ(Children().size(), 1u);
    kill(Children()[0], signal);
    EXPECT_TRUE(absl::IsDataLoss((*memory)->ReadPhysical(4096, absl::MakeSpan(page))));
    EXPECT_TRUE(Children().empty()) << "it was not taken away";
    EXPECT_TRUE(absl::IsDataLoss((*memory)->ReadPhysical(0x1000000, absl::MakeSpan(page))));
    EXPECT_EQ((*memory)->PhysicalRunFrom(4096, 10), 0u);
  }
}

TEST_F(ChildDumpOpenerTest, NothingIsLeftOfIt) {
  {
    const auto memory = Open({WriteDiskDump(SomeDump())});
    ASSERT_TRUE(memory.ok());
  }
  EXPECT_TRUE(Children().empty());
}

TEST_F(ChildDumpOpenerTest, SeveralThreadsReadOneDump) {
  const auto memory = Open({WriteDiskDump(SomeDump())});
  ASSERT_TRUE(memory.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) ExpectPages(**memory);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace corefleet
