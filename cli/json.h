#ifndef COREFLEET_CLI_JSON_H_
#define COREFLEET_CLI_JSON_H_

#include <google/protobuf/message.h>

#include <string>

namespace corefleet {

// The message as one line of proto3 JSON, with the proto's field names and with fields that have their
// default, so that a script finds every field in every line.
std::string JsonLine(const google::protobuf::Message& message);

// A JSON string with its quotes. Bytes of `text` that are no UTF-8 are written as \xNN first.
std::string JsonString(const std::string& text);

}  // namespace corefleet

#endif  // COREFLEET_CLI_JSON_H_
