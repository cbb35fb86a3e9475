#ifndef COREFLEET_SERVER_PROCESS_TUNING_H_
#define COREFLEET_SERVER_PROCESS_TUNING_H_

namespace corefleet {

// Settings of the libraries under us that hold for the whole process. Call it first in main.
void TuneProcess();

}  // namespace corefleet

#endif  // COREFLEET_SERVER_PROCESS_TUNING_H_
