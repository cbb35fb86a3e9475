#include "tests/bench/put/http_upload.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace corefleet {
namespace {

constexpr long kUploadBuffer = 256 << 10;
constexpr char kTus[] = "Tus-Resumable: 1.0.0\n";

}  // namespace

HttpUploader::HttpUploader(Protocol protocol, std::string base, std::string keys)
    : protocol_(protocol), base_(std::move(base)), keys_(std::move(keys)), curl_(curl_easy_init()) {}

HttpUploader::~HttpUploader() { curl_easy_cleanup(curl_); }

std::string HttpUploader::Answer::text() const {
  return code != CURLE_OK ? curl_easy_strerror(code) : absl::StrCat("HTTP ", status);
}

size_t HttpUploader::OnHeader(char* data, size_t size, size_t count, void* answer) {
  absl::string_view line = absl::StripAsciiWhitespace(absl::string_view(data, size * count));
  const std::pair<absl::string_view, absl::string_view> field =
      absl::StrSplit(line, absl::MaxSplits(": ", 1));
  auto* const to = static_cast<Answer*>(answer);
  if (absl::EqualsIgnoreCase(field.first, "location")) to->location = std::string(field.second);
  if (absl::EqualsIgnoreCase(field.first, "upload-offset") && !absl::SimpleAtoi(field.second, &to->offset)) {
    to->offset = 0;
  }
  return size * count;
}

size_t HttpUploader::OnBody(char*, size_t size, size_t count, void*) { return size * count; }

size_t HttpUploader::OnRead(char* data, size_t size, size_t count, void* left) {
  auto* const bytes = static_cast<absl::string_view*>(left);
  const size_t taken = std::min(bytes->size(), size * count);
  std::memcpy(data, bytes->data(), taken);
  bytes->remove_prefix(taken);
  return taken;
}

HttpUploader::Answer HttpUploader::Send(const char* method, const std::string& url,
                                        const std::string& headers, absl::string_view bytes) {
  Answer answer;
  curl_easy_reset(curl_);
  // An empty header removes it, but libcurl 7.88 would sign the empty one; so for S3 it stays, and is not
  // waited for: a gateway that does not answer it at once would lose a second with each object.
  curl_slist* list = protocol_ == Protocol::kS3 ? nullptr : curl_slist_append(nullptr, "Expect:");
  for (const absl::string_view line : absl::StrSplit(headers, '\n', absl::SkipEmpty())) {
    list = curl_slist_append(list, std::string(line).c_str());
  }
  curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
  curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(curl_, CURLOPT_HEADERDATA, &answer);
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(curl_, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
  curl_easy_setopt(curl_, CURLOPT_READFUNCTION, &OnRead);
  curl_easy_setopt(curl_, CURLOPT_READDATA, &bytes);
  const bool head = std::strcmp(method, "HEAD") == 0;
  if (head) {
    curl_easy_setopt(curl_, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(curl_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(bytes.size()));
    curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, method);
  }
  if (!keys_.empty()) {
    curl_easy_setopt(curl_, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
    curl_easy_setopt(curl_, CURLOPT_USERPWD, keys_.c_str());
  }
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, list);
  answer.code = curl_easy_perform(curl_);
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_slist_free_all(list);
  return answer;
}

HttpUploader::Answer HttpUploader::TryTus(const HttpBody& body, std::string* url) {
  uint64_t offset = 0;
  if (url->empty()) {
    Answer created = Send("POST", base_, absl::StrCat(kTus, "Upload-Length: ", body.bytes.size(), "\n"), "");
    if (!created.ok()) return created;
    // Some servers answer with a path, some with a whole URL.
    *url = absl::StartsWith(created.location, "/")
               ? absl::StrCat(base_.substr(0, base_.find('/', strlen("http://"))), created.location)
               : created.location;
  } else {
    Answer known = Send("HEAD", *url, kTus, "");
    if (!known.ok()) return known;
    offset = known.offset;
  }
  return Send(
      "PATCH", *url,
      absl::StrCat(kTus, "Upload-Offset: ", offset, "\nContent-Type: application/offset+octet-stream\n"),
      body.bytes.substr(std::min<uint64_t>(offset, body.bytes.size())));
}

HttpOutcome HttpUploader::Upload(const std::string& name, const HttpBody& body, int max_breaks) {
  HttpOutcome outcome;
  std::string tus_url;
  for (;;) {
    Answer answer;
    if (protocol_ == Protocol::kTus) {
      answer = TryTus(body, &tus_url);
    } else {
      const std::string headers =
          protocol_ == Protocol::kS3 ? absl::StrCat("x-amz-content-sha256: ", body.sha256, "\n") : "";
      answer = Send("PUT", absl::StrCat(base_, name), headers, body.bytes);
    }
    outcome.stored = answer.ok();
    if (outcome.stored) return outcome;
    outcome.error = answer.text();
    if (++outcome.breaks > max_breaks) return outcome;
  }
}

}  // namespace corefleet
