#include "csrc/checkpoint/safetensors_header.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

constexpr std::size_t kMostDimensions = 64;

// Called by the parser for every token; where_ is the place in
//   {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [1], "data_offsets": [0,
//   4]}}
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderHandler(const std::string& file) : file_(file) {}

  std::vector<SafetensorsEntry> take() { return std::move(entries_); }

  bool start_object(std::size_t) override {
    if (where_ == Where::kStart) {
      where_ = Where::kHeader;
    } else if (where_ == Where::kHeader && entry_.name == "__metadata__") {
      where_ = Where::kMetadata;
    } else if (where_ == Where::kHeader) {
      where_ = Where::kTensor;
    } else {
      unexpected("an object");
    }
    keys_.clear();
    return true;
  }

  bool key(std::string& name) override {
    if (where_ == Where::kHeader) {
      if (!names_.insert(name).second) fail("name " + quote(name) + " occurs twice");
      entry_ = {};
      entry_.name = name;
      return true;
    }
    key_ = name;
    if (!keys_.insert(name).second) fail(place() + ": key " + quote(name) + " occurs twice");
    if (where_ == Where::kTensor && name != "dtype" && name != "shape" && name != "data_offsets") {
      fail(place() + ": expected dtype, shape and data_offsets, got key " + quote(name));
    }
    return true;
  }

  bool end_object() override {
    if (where_ == Where::kTensor) {
      for (const char* required : {"dtype", "shape", "data_offsets"}) {
        if (!keys_.contains(required)) fail(place() + ": no " + required);
      }
      entries_.push_back(std::move(entry_));
    }
    where_ = where_ == Where::kHeader ? Where::kEnd : Where::kHeader;
    return true;
  }

  bool string(std::string& text) override {
    if (where_ == Where::kTensor && key_ == "dtype") {
      entry_.dtype = text;
    } else if (where_ != Where::kMetadata) {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (where_ == Where::kTensor && key_ == "shape") {
      where_ = Where::kShape;
    } else if (where_ == Where::kTensor && key_ == "data_offsets") {
      where_ = Where::kOffsets;
      offsets_ = 0;
    } else {
      unexpected("an array");
    }
    return true;
  }

  bool end_array() override {
    if (where_ == Where::kOffsets && offsets_ != 2) fail(place() + ": expected two data_offsets");
    where_ = Where::kTensor;
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (where_ == Where::kShape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ||
          entry_.shape.size() == kMostDimensions) {
        fail(place() + ": shape too large");
      }
      entry_.shape.push_back(static_cast<std::int64_t>(value));
    } else if (where_ == Where::kOffsets) {
      if (offsets_ == 2) fail(place() + ": expected two data_offsets");
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
    } else {
      unexpected("a number");
    }
    return true;
  }

  bool number_integer(std::int64_t value) override {
    unexpected("the negative number " + std::to_string(value));
  }
  bool number_float(double, const std::string& text) override {
    unexpected("the number " + quote(text) + ", no integer of 64 bits");
  }
  bool boolean(bool) override { unexpected("a bool"); }
  bool null() override { unexpected("null"); }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::json::exception&) override {
    fail("invalid JSON at byte " + std::to_string(position) + ", near " + quote(token));
  }

 private:
  enum class Where { kStart, kHeader, kMetadata, kTensor, kShape, kOffsets, kEnd };

  std::string place() const { return quote(entry_.name); }
  [[noreturn]] void fail(const std::string& text) const {
    throw InputError(file_ + ": header: " + text);
  }
  [[noreturn]] void unexpected(const std::string& got) const {
    switch (where_) {
      case Where::kMetadata:
        fail("__metadata__: expected texts only, got " + got);
      case Where::kTensor:
        fail(place() + ": unexpected value of " + quote(key_) + ": " + got);
      case Where::kShape:
      case Where::kOffsets:
        fail(place() + ": expected non-negative integers as " + key_ + ", got " + got);
      default:
        fail(place() + ": expected an object, got " + got);
    }
  }

  const std::string& file_;
  Where where_ = Where::kStart;
  SafetensorsEntry entry_;
  std::string key_;
  std::size_t offsets_ = 0;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> keys_;
  std::vector<SafetensorsEntry> entries_;
};

}  // namespace

std::vector<SafetensorsEntry> parse_safetensors_header(std::string_view header,
                                                       const std::string& file) {
  // The parser would take a NUL for the end of the text and pass over what follows.
  if (header.find('\0') != std::string_view::npos) {
    throw InputError(file + ": header: a NUL byte in the JSON text");
  }
  HeaderHandler handler(file);
  nlohmann::json::sax_parse(header.begin(), header.end(), &handler);
  return handler.take();
}

}  // namespace simba
