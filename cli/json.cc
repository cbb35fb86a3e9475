#include "cli/json.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include "core/bytes/escape.h"

namespace corefleet {

std::string JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string line;
  // Fails only for an Any of unknown type, which no message of ours has.
  (void)google::protobuf::util::MessageToJsonString(message, &line, options);
  line.push_back('\n');
  return line;
}

std::string JsonString(const std::string& text) {
  google::protobuf::StringValue value;
  value.set_value(Utf8OrHex(text));
  std::string line;
  (void)google::protobuf::util::MessageToJsonString(value, &line);
  return line;
}

}  // namespace corefleet
