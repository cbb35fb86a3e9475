// The reader of clues alone, for tests: their own main() is GoogleTest's.
#include "collector/spool/clue_reader.h"

int main(int argc, char** argv) {
  corefleet::MaybeRunClueReader(argc, argv);
  return 1;
}
