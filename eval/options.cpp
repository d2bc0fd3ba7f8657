#include "eval/options.h"

#include <ATen/Context.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "csrc/input_error.h"

namespace simba::eval {
namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 4> kDtypes = {{
    {"float32", at::kFloat},
    {"float64", at::kDouble},
    {"bfloat16", at::kBFloat16},
    {"float16", at::kHalf},
}};

// The whole of `text` as an integer in [least, most].
bool parse_integer(std::string_view text, std::int64_t least, std::int64_t most,
                   std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= least &&
         value <= most;
}

}  // namespace

std::vector<std::string> split_list(const std::string& option, const std::string& text) {
  std::vector<std::string> pieces;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    pieces.push_back(text.substr(begin, end - begin));
    if (pieces.back().empty()) {
      throw InputError(option + ": expected values separated by commas, got '" + text + "'");
    }
    begin = end + 1;
  }
  return pieces;
}

std::vector<std::int64_t> parse_counts(const std::string& option, const std::string& text) {
  std::vector<std::int64_t> counts;
  for (const std::string& piece : split_list(option, text)) {
    std::int64_t value = 0;
    if (!parse_integer(piece, 1, kMostCount, value)) {
      throw InputError(option + ": expected integers of at least 1, got '" + piece + "'");
    }
    if (std::find(counts.begin(), counts.end(), value) != counts.end()) {
      throw InputError(option + ": " + piece + " is given twice");
    }
    counts.push_back(value);
  }
  return counts;
}

void check_at_least(const std::string& option, std::int64_t value, std::int64_t least) {
  if (value >= least) return;
  throw InputError(option + ": expected an integer of at least " + std::to_string(least) +
                   ", got " + std::to_string(value));
}

void check_count(const std::string& option, std::int64_t value) {
  check_at_least(option, value, 1);
  if (value <= kMostCount) return;
  throw InputError(option + ": expected an integer of at most " + std::to_string(kMostCount) +
                   ", got " + std::to_string(value));
}

at::ScalarType parse_dtype(const std::string& text) {
  std::string names;
  for (const auto& [name, dtype] : kDtypes) {
    if (text == name) return dtype;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw InputError("--dtype: expected one of " + names + ", got '" + text + "'");
}

std::string dtype_name(at::ScalarType dtype) {
  for (const auto& [name, known] : kDtypes) {
    if (dtype == known) return name;
  }
  return at::toString(dtype);
}

at::Device parse_device(const std::string& text) {
  if (text == "cpu") return at::kCPU;
  std::int64_t index = 0;
  const bool indexed = text.starts_with("cuda:");
  if (text != "cuda" && !(indexed && parse_integer(text.substr(5), 0, 127, index))) {
    throw InputError("--device: expected cpu, cuda or cuda:INDEX, got '" + text + "'");
  }
  if (!at::hasCUDA()) {
    throw InputError("--device " + text +
                     ": no CUDA device; this LibTorch has none, or no driver was found");
  }
  const auto present = static_cast<std::int64_t>(at::getNumGPUs());
  if (index >= present) {
    throw InputError("--device " + text + ": expected an index below the " +
                     std::to_string(present) + " CUDA devices present");
  }
  return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

}  // namespace simba::eval
