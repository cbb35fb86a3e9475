#include "core/minidump/tables.h"
#include "core/minidump/tables_writer.h"
#include "tests/support/fuzz_target.h"

namespace corefleet {
namespace {

constexpr TableForm kForms[] = {TableForm::kRegionRows, TableForm::kSahara64, TableForm::kSahara32,
                                TableForm::kEdlLog,     TableForm::kDumpInfo, TableForm::kLoadScript};

bool SameRows(const AddressTable& a, const AddressTable& b) {
  return std::equal(a.rows.begin(), a.rows.end(), b.rows.begin(), b.rows.end(),
                    [](const AddressRow& x, const AddressRow& y) {
                      return x.name == y.name && x.id == y.id && x.paddr == y.paddr && x.size == y.size &&
                             x.valid == y.valid && x.file_name == y.file_name;
                    });
}

void CheckForm(TableForm form, ByteView bytes) {
  const AddressTable table = ParseAnyTable(form, bytes);
  FUZZ_CHECK(table.rows.size() <= kMaxAddressRows);
  for (const AddressRow& row : table.rows) {
    if (form == TableForm::kRegionRows) {
      FUZZ_CHECK(row.name.size() <= 16);
    } else {
      FUZZ_CHECK(row.valid && !row.file_name.empty() && row.file_name.size() <= 255);
      FUZZ_CHECK(row.paddr <= kMaxPhysicalAddress && row.size <= kMaxPhysicalAddress - row.paddr);
      FUZZ_CHECK(row.id <= 200);
    }
  }
  FUZZ_CHECK(SameRows(table, ParseAnyTable(form, bytes)));
}

}  // namespace

std::vector<std::string> FuzzSeeds() {
  const std::vector<AddressRow> rows = {
      {.name = "KELF", .id = 1, .paddr = 0x019c0000, .size = 15604, .valid = true},
      {.name = "Kprb_info", .id = 24, .paddr = 0x41a38618, .size = 0x58000, .valid = true},
      {.paddr = 0x14680000, .size = 4096, .valid = true, .file_name = "OCIMEM.BIN"}};
  std::vector<std::string> seeds;
  for (const TableForm form : kForms) {
    const std::vector<uint8_t> bytes = WriteTable(form, rows);
    seeds.emplace_back(bytes.begin(), bytes.end());
  }
  return seeds;
}

}  // namespace corefleet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corefleet;
  const ByteView bytes(data, size);
  // What is recognised has something in it.
  const TableForm form = RecogniseTable("table", bytes.subspan(0, 64 * 1024), size);
  FUZZ_CHECK(form == TableForm::kNone || !ParseAnyTable(form, bytes).rows.empty() ||
             ParseAnyTable(form, bytes).damaged);
  for (const TableForm any : kForms) CheckForm(any, bytes);
  return 0;
}
