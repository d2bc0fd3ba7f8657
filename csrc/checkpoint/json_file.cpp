#include "csrc/checkpoint/json_file.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "csrc/checkpoint/mapped_file.h"
#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {

using nlohmann::json;

json read_json_object(const std::string& path) {
  constexpr std::size_t kLargest = std::size_t{64} << 20;
  constexpr int kDeepest = 32;
  const auto file = MappedFile::open(path);
  const std::string_view text = file->bytes();
  if (text.size() > kLargest) {
    throw InputError(path + ": expected at most " + std::to_string(kLargest) +
                     " bytes of JSON, got " + std::to_string(text.size()));
  }
  // The parser would take a NUL for the end of the text and pass over what follows.
  if (text.find('\0') != std::string_view::npos)
    throw InputError(path + ": a NUL byte in the JSON");

  std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
  const json::parser_callback_t check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepest) {
      throw InputError(path + ": JSON nested deeper than " + std::to_string(kDeepest) + " levels");
    }
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) {
        throw InputError(path + ": key " + quote(key) + " occurs twice");
      }
    }
    return true;
  };
  json document;
  try {
    document = json::parse(text.begin(), text.end(), check);
  } catch (const json::parse_error& error) {
    throw InputError(path + ": invalid JSON at byte " + std::to_string(error.byte));
  } catch (const json::out_of_range&) {
    throw InputError(path + ": a number in the JSON is too large");
  }
  if (!document.is_object()) {
    throw InputError(path + ": expected a JSON object, got " + document.type_name());
  }
  return document;
}

}  // namespace simba
