#ifndef COREFLEET_TESTS_BENCH_PUT_HTTP_UPLOAD_H_
#define COREFLEET_TESTS_BENCH_PUT_HTTP_UPLOAD_H_

#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace corefleet {

// One body to upload: the bytes, and what a peer may want to know of them before.
struct HttpBody {
  absl::string_view bytes;
  std::string sha256;  // lower-case hex
};

// How an upload ended.
struct HttpOutcome {
  bool stored = false;
  int breaks = 0;
  std::string error;  // of the last break
};

// Uploads by HTTP over a connection of its own that it keeps: what corefleet's peers understand. One thread.
class HttpUploader {
 public:
  enum class Protocol {
    kPut,  // WebDAV: one PUT; what broke begins again
    kTus,  // tus 1.0: POST, then PATCH from where the server says it is
    kS3,   // one signed PUT; what broke begins again
  };

  // `base` is the URL that names are appended to; `keys` is "ACCESS:SECRET", for S3.
  HttpUploader(Protocol protocol, std::string base, std::string keys);
  ~HttpUploader();
  HttpUploader(const HttpUploader&) = delete;
  HttpUploader& operator=(const HttpUploader&) = delete;

  // Tries until it is stored or broke more often than `max_breaks`.
  HttpOutcome Upload(const std::string& name, const HttpBody& body, int max_breaks);

 private:
  struct Answer {
    CURLcode code = CURLE_OK;
    long status = 0;
    std::string location;
    uint64_t offset = 0;
    bool ok() const { return code == CURLE_OK && status >= 200 && status < 300; }
    std::string text() const;
  };

  // Sends `bytes` with a method and headers ("Name: value\n" lines).
  Answer Send(const char* method, const std::string& url, const std::string& headers,
              absl::string_view bytes);
  Answer TryTus(const HttpBody& body, std::string* url);
  static size_t OnHeader(char* data, size_t size, size_t count, void* answer);
  static size_t OnBody(char* data, size_t size, size_t count, void* unused);
  static size_t OnRead(char* data, size_t size, size_t count, void* left);

  const Protocol protocol_;
  const std::string base_;
  const std::string keys_;
  CURL* const curl_;
};

}  // namespace corefleet

#endif  // COREFLEET_TESTS_BENCH_PUT_HTTP_UPLOAD_H_
