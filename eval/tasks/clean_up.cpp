#include "eval/tasks/clean_up.h"

#include <utf8proc.h>

#include <string_view>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/tokenizer/utf8.h"
#include "eval/tasks/strip.h"

namespace simba::eval {
namespace {

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (std::size_t at = 0;;) {
    const std::size_t found = text.find(from, at);
    result += text.substr(at, found - at);
    if (found == std::string_view::npos) return result;
    result += to;
    at = found + from.size();
  }
}

// Without every shortest "[...]" on one line: Python's re.sub(r"\[.*?\]", "", text).
std::string without_brackets(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '[') {
      const std::size_t end = text.find_first_of("]\n", at);
      if (end != std::string_view::npos && text[end] == ']') {
        at = end + 1;
        continue;
      }
    }
    result += text[at++];
  }
  return result;
}

std::string without_markers(std::string_view text) {
  const std::string titled = replace_all(strip(text), " [title]", ". ");
  return replace_all(without_brackets(titled), "  ", " ");
}

std::string capitalized(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint code_point = code_point_at(text, at);
    const auto value = static_cast<utf8proc_int32_t>(code_point.value);
    const utf8proc_int32_t mapped = at == 0 ? utf8proc_totitle(value) : utf8proc_tolower(value);
    append_utf8(static_cast<char32_t>(mapped), result);
    at += code_point.size;
  }
  return result;
}

void clean_hellaswag(Document& document) {
  std::vector<std::string> choices;
  for (const std::string& ending : document.list("endings")) {
    choices.push_back(without_markers(ending));
  }
  const std::string context = document.text("ctx_a") + " " + capitalized(document.text("ctx_b"));
  document.fields["query"] = without_markers(document.text("activity_label") + ": " + context);
  document.fields["choices"] = std::move(choices);
  document.fields["gold"] = document.text("label");
}

constexpr auto kHellaswag = "hellaswag";

}  // namespace

void clean_up(const std::string& step, Document& document) {
  if (step == kHellaswag) clean_hellaswag(document);
}

void check_clean_up(const std::string& step, const std::string& where) {
  if (step == kHellaswag) return;
  throw InputError(where + ": clean_up: expected '" + std::string(kHellaswag) + "', got '" + step +
                   "'");
}

}  // namespace simba::eval
