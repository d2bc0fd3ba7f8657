#include "eval/run/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "csrc/input_error.h"
#include "eval/run/durable.h"
#include "eval/run/json_difference.h"
#include "eval/text/read_file.h"
#include "eval/text/sha256.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr auto kFormat = "simba-eval journal 1";
constexpr std::string_view kCheck = R"({"check":")";
constexpr std::size_t kDigits = 16;
constexpr std::string_view kBody = R"(",)";  // between the digits and the rest of the object
constexpr std::size_t kPrefix = kCheck.size() + kDigits + kBody.size();

std::string digits_of(const std::string& body) { return sha256(body).substr(0, kDigits); }

// Without the newline.
std::string line_of(const Json& body) {
  const std::string text = body.dump();
  std::string line(kCheck);
  line += digits_of(text);
  line += kBody;
  line += std::string_view(text).substr(1);
  return line;
}

// The object of a line without its checksum; throws where the line is not as it was written.
Json body_of(std::string_view line) {
  if (!line.starts_with(kCheck) || line.size() < kPrefix ||
      line.substr(kPrefix - kBody.size(), kBody.size()) != kBody) {
    throw std::runtime_error("expected a line that begins with a checksum");
  }
  std::string body(1, '{');
  body += line.substr(kPrefix);
  if (digits_of(body) != line.substr(kCheck.size(), kDigits)) {
    throw std::runtime_error("the checksum does not fit the line, which was changed or damaged");
  }
  return Json::parse(body);
}

bool same_file(int file, const std::string& path) {
  struct stat opened = {};
  struct stat named = {};
  return ::fstat(file, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

std::runtime_error write_error(const std::string& path) {
  return std::runtime_error(path + ": cannot be written: " + std::strerror(errno));
}

// Opens or creates the file and locks it.
int open_locked(const std::string& path) {
  while (true) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) throw write_error(path);
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(file);
      if (error == EWOULDBLOCK) throw InputError(path + ": another run is writing this folder");
      throw std::runtime_error(path + ": cannot be locked: " + std::strerror(error));
    }
    // The run that held the lock may have taken its file away meanwhile.
    if (same_file(file, path)) return file;
    ::close(file);
  }
}

}  // namespace

Journal::Journal(const OutputFolder& folder, const Json& settings, std::size_t units)
    : path_(folder.journal_path()), units_(units), file_(open_locked(path_)) {
  try {
    if (folder.resume()) {
      read(settings);
    } else {
      // First, so that a kill leaves no results beside a journal of other settings.
      folder.remove_results();
      if (::ftruncate(file_, 0) != 0) throw write_error(path_);
    }
    if (empty_) begin(settings);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

Journal::~Journal() {
  // Without a record it is good for nothing, and would only stand in the next run's way.
  if (records_.empty() && units_ > 0) ::unlink(path_.c_str());
  ::close(file_);
}

void Journal::read(const Json& settings) {
  const std::string text = read_file(path_);
  const std::size_t end = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  const std::string_view torn = std::string_view(text).substr(end);
  const std::size_t common = std::min(torn.size(), kCheck.size());
  if (end == 0 && torn.substr(0, common) != kCheck.substr(0, common)) {
    throw InputError(path_ + ":1: expected a journal");
  }
  std::size_t number = 0;
  for (std::size_t start = 0; start < end;) {
    const std::size_t stop = text.find('\n', start);
    ++number;
    try {
      read_line(body_of(std::string_view(text).substr(start, stop - start)), settings, number);
    } catch (const InputError&) {
      throw;
    } catch (const std::exception& error) {
      throw InputError(path_ + ":" + std::to_string(number) + ": " + error.what());
    }
    start = stop + 1;
  }
  empty_ = number == 0;
  if (torn.empty()) return;
  if (::ftruncate(file_, static_cast<off_t>(end)) != 0 || ::fsync(file_) != 0) {
    throw write_error(path_);
  }
}

void Journal::read_line(const Json& body, const Json& settings, std::size_t number) {
  if (number == 1) {
    if (body.at("format") != kFormat) {
      throw std::runtime_error("expected format " + std::string(kFormat) + ", got " +
                               body.at("format").dump());
    }
    std::string difference = json_difference(body.at("settings"), settings);
    if (difference.empty()) {
      difference = json_difference({{"units", body.at("units")}}, {{"units", units_}});
    }
    if (!difference.empty()) {
      throw InputError(path_ +
                       ": --resume: the run has other settings than the one it would go on"
                       " with: " +
                       difference);
    }
    return;
  }
  if (body.contains("results")) {
    finished_ = body.at("results").get<std::string>();
    return;
  }
  if (!finished_.empty()) throw std::runtime_error("expected no unit after the end of the run");
  const auto unit = body.at("unit").get<std::size_t>();
  if (unit >= units_) {
    throw std::runtime_error("expected a unit below " + std::to_string(units_) + ", got " +
                             std::to_string(unit));
  }
  if (!records_.emplace(unit, body.at("record")).second) {
    throw std::runtime_error("unit " + std::to_string(unit) + " is there twice");
  }
}

void Journal::begin(const Json& settings) {
  write_line({{"format", kFormat}, {"units", units_}, {"settings", settings}});
  sync_to_disk(fs::path(path_).parent_path());
}

void Journal::append(std::size_t unit, Json record) {
  write_line({{"unit", unit}, {"record", record}});
  records_.emplace(unit, std::move(record));
}

void Journal::finish(const std::string& results_sha256) {
  if (finished_ != results_sha256) write_line({{"results", results_sha256}});
  finished_ = results_sha256;
}

void Journal::write_line(const Json& body) {
  const std::string line = line_of(body) + "\n";
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = ::write(file_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw write_error(path_);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(file_) != 0) throw write_error(path_);
}

}  // namespace simba::eval
