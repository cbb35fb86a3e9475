// The reader alone, for tests: their own main() is GoogleTest's.
#include "core/kdump/reader/reader_main.h"

int main(int argc, char** argv) {
  corefleet::MaybeRunKdumpReader(argc, argv);
  return 1;
}
