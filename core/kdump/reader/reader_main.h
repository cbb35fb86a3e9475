#ifndef COREFLEET_CORE_KDUMP_READER_READER_MAIN_H_
#define COREFLEET_CORE_KDUMP_READER_READER_MAIN_H_

namespace corefleet {

// The other life of a program that reads compressed dumps: libkdumpfile is C, and a hostile dump may take it
// over, so it runs in a process of its own, which ChildDumpOpener starts as this same program with a hidden
// argument. main() calls this before anything else. Returns at once if the argument is not there; otherwise
// serves until the other end is closed, and never returns.
void MaybeRunKdumpReader(int argc, char** argv);

}  // namespace corefleet

#endif  // COREFLEET_CORE_KDUMP_READER_READER_MAIN_H_
