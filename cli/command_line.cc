#include "cli/command_line.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/bytes/escape.h"

namespace corefleet {
namespace {

std::vector<Option> GlobalOptions() {
  return {
      {"server", 0, "HOST:PORT", "the engineers' port (COREFLEET_SERVER; default 127.0.0.1:7444)"},
      {"ingest", 0, "HOST:PORT", "the devices' port, for upload (COREFLEET_INGEST; default 127.0.0.1:7443)"},
      {"tls_ca", 0, "FILE", "speak TLS with servers that this authority signed, PEM (COREFLEET_TLS_CA)"},
      {"tls_cert", 0, "FILE", "the certificate to show them, PEM (COREFLEET_TLS_CERT)"},
      {"tls_key", 0, "FILE", "its key, PEM (COREFLEET_TLS_KEY)"},
      {"token_file", 0, "FILE", "a token for the engineers' port instead (COREFLEET_TOKEN_FILE)"},
      {"tls_server_name", 0, "NAME",
       "the name in the server's certificate, if it is not the address's (COREFLEET_TLS_SERVER_NAME)"},
      {"ingest_tls_ca", 0, "FILE",
       "for the devices' port, where it has an authority of its own (COREFLEET_INGEST_TLS_CA)"},
      {"ingest_tls_cert", 0, "FILE", "(COREFLEET_INGEST_TLS_CERT)"},
      {"ingest_tls_key", 0, "FILE", "(COREFLEET_INGEST_TLS_KEY)"},
      {"json", 0, "", "print messages as JSON, one a line, with the proto's field names"},
      {"help", 'h', "", "what is there, or what a verb does"}};
}

constexpr char kExample[] = R"(
A first session:
  corefleet upload ./memory        send a folder of md_*.BIN files, as edl or qdl left it
  corefleet list                   what arrived, newest first
  corefleet info @latest           which kernel, how tainted, what is missing, what to type next
  corefleet log @latest            what it said last
  corefleet fetch @latest          the core, for crash, gdb and drgn

A crash is named by any unique beginning of its id (four digits at least), or @latest.
Exit codes: 0 done, 1 not found or refused, 2 usage, 3 server unreachable, 124 timed out.
)";

std::string ProgramHelp(const std::vector<Verb>& verbs) {
  std::string out =
      "corefleet: what is left of crashed kernels, and what it says.\n\nusage: corefleet VERB ...\n\n";
  for (const Verb& verb : verbs) absl::StrAppendFormat(&out, "  %-8s%s\n", verb.name, verb.summary);
  absl::StrAppendFormat(&out, "  %-8s%s\n", "help", "this, or what a verb does: corefleet help list");
  absl::StrAppend(&out, "\nWith every verb:\n", DescribeOptions(GlobalOptions()), kExample);
  return out;
}

std::string VerbHelp(const Verb& verb) {
  std::string out = absl::StrCat("usage: corefleet ", verb.name, verb.options.empty() ? "" : " [OPTIONS]",
                                 verb.operands.empty() ? "" : " ", verb.operands, "\n\n", verb.summary, "\n");
  if (!verb.options.empty()) absl::StrAppend(&out, "\n", DescribeOptions(verb.options));
  if (!verb.details.empty()) absl::StrAppend(&out, "\n", verb.details, "\n");
  return out;
}

const Verb* Find(const std::vector<Verb>& verbs, absl::string_view name) {
  const auto found =
      std::find_if(verbs.begin(), verbs.end(), [&](const Verb& verb) { return verb.name == name; });
  return found == verbs.end() ? nullptr : &*found;
}

int WrongUsage(const Surroundings& where, absl::string_view what, absl::string_view help) {
  *where.err << absl::StrCat("corefleet: ", EscapeForTerminal(what), "\n", help);
  return kUsage;
}

int UnknownVerb(const std::string& typed, const std::vector<Verb>& verbs, const Surroundings& where) {
  std::vector<std::string> names = {"help"};
  for (const Verb& verb : verbs) names.push_back(verb.name);
  const std::optional<std::string> meant = Nearest(typed, names);
  return WrongUsage(
      where,
      absl::StrCat("no verb '", typed, "'", meant ? absl::StrCat("; did you mean '", *meant, "'?") : ""),
      "'corefleet help' lists all verbs.\n");
}

int Help(const std::vector<std::string>& about, const std::vector<Verb>& verbs, const Surroundings& where) {
  if (about.empty()) {
    *where.out << ProgramHelp(verbs);
    return kDone;
  }
  const Verb* verb = Find(verbs, about[0]);
  if (verb == nullptr) return UnknownVerb(about[0], verbs, where);
  *where.out << VerbHelp(*verb);
  return kDone;
}

// What is said of both ports, and then what is said of the devices' port alone.
void TakeSecurity(const Arguments& arguments, Surroundings* where) {
  for (ChannelSecurity* security : {&where->server_security, &where->ingest_security}) {
    security->ca = arguments.Get("tls_ca", security->ca);
    security->certificate = arguments.Get("tls_cert", security->certificate);
    security->key = arguments.Get("tls_key", security->key);
    security->server_name = arguments.Get("tls_server_name", security->server_name);
  }
  where->server_security.token_file = arguments.Get("token_file", where->server_security.token_file);
  where->ingest_security.ca = arguments.Get("ingest_tls_ca", where->ingest_security.ca);
  where->ingest_security.certificate = arguments.Get("ingest_tls_cert", where->ingest_security.certificate);
  where->ingest_security.key = arguments.Get("ingest_tls_key", where->ingest_security.key);
}

void TakeGlobals(const Arguments& arguments, Surroundings* where) {
  where->server = arguments.Get("server", where->server);
  where->ingest = arguments.Get("ingest", where->ingest);
  TakeSecurity(arguments, where);
  where->json = where->json || arguments.Has("json");
}

int RunVerb(const Verb& verb, const std::vector<std::string>& words, Surroundings where) {
  std::vector<Option> options = verb.options;
  for (Option& option : GlobalOptions()) options.push_back(std::move(option));
  const std::string hint = absl::StrCat("'corefleet help ", verb.name, "' says how.\n");
  const absl::StatusOr<Arguments> arguments = ParseArguments(words, options);
  if (!arguments.ok()) return WrongUsage(where, arguments.status().message(), hint);
  TakeGlobals(*arguments, &where);
  if (arguments->Has("help")) {
    *where.out << VerbHelp(verb);
    return kDone;
  }
  const size_t operands = arguments->operands().size();
  if (operands < verb.min_operands || operands > verb.max_operands) {
    const bool few = operands < verb.min_operands;
    return WrongUsage(where,
                      absl::StrCat(verb.name, " takes ", verb.operands.empty() ? "no operand" : verb.operands,
                                   few ? "" : ", and '", few ? "" : arguments->operands()[verb.max_operands],
                                   few ? "" : "' is too much"),
                      hint);
  }
  const int code = verb.run(*arguments, where);
  where.out->flush();
  if (!where.out->good() && code == kDone) return Fail(where, absl::DataLossError("cannot write the output"));
  return code;
}

}  // namespace

int Fail(const Surroundings& where, const absl::Status& status) {
  *where.err << absl::StrCat("corefleet: ", EscapeForTerminal(status.message()), "\n");
  return ExitCodeFor(status.code());
}

int RunCommandLine(const std::vector<std::string>& words, const std::vector<Verb>& verbs,
                   Surroundings defaults) {
  std::vector<std::string> rest;
  const absl::StatusOr<Arguments> globals =
      ParseArguments(words, GlobalOptions(), /*stop_at_operand=*/true, &rest);
  if (!globals.ok()) return WrongUsage(defaults, globals.status().message(), "'corefleet help' says how.\n");
  TakeGlobals(*globals, &defaults);
  if (rest.empty()) return Help({}, verbs, defaults);
  const std::string name = rest[0];
  rest.erase(rest.begin());
  if (name == "help") return Help(rest, verbs, defaults);
  const Verb* verb = Find(verbs, name);
  if (verb == nullptr) return UnknownVerb(name, verbs, defaults);
  if (globals->Has("help")) return Help({name}, verbs, defaults);
  return RunVerb(*verb, rest, std::move(defaults));
}

}  // namespace corefleet
