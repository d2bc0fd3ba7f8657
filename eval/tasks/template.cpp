#include "eval/tasks/template.h"

#include <algorithm>
#include <array>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"
#include "eval/tasks/strip.h"

namespace simba::eval {
namespace {

constexpr std::array<const char*, 4> kWithArgument = {"before", "after", "before_last",
                                                      "after_last"};

std::string apply(const std::string& function, const std::string& argument, const std::string& text,
                  const std::string& where) {
  if (function == "strip") return strip(text);
  const bool last = function.ends_with("_last");
  const std::size_t at = last ? text.rfind(argument) : text.find(argument);
  if (at == std::string::npos) {
    if (last) return function == "before_last" ? "" : text;
    throw InputError(where + ": expected a " + quote(argument) + " in " + quote(text));
  }
  return function.starts_with("before") ? text.substr(0, at) : text.substr(at + argument.size());
}

// The next '|' or the end, not inside quotes.
std::size_t end_of_call(const std::string& text, std::size_t begin) {
  bool quoted = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '\'') quoted = !quoted;
    if (text[i] == '|' && !quoted) return i;
  }
  return text.size();
}

// The '}' that ends a field, not inside quotes.
std::size_t end_of_field(const std::string& text, std::size_t begin) {
  bool quoted = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '\'') quoted = !quoted;
    if (text[i] == '}' && !quoted) return i;
  }
  return std::string::npos;
}

}  // namespace

Template::Part Template::parse_field(const std::string& text, const std::string& where) {
  std::size_t end = end_of_call(text, 0);
  Part part{"", text.substr(0, end), {}};
  const bool plain = part.path.find_first_of(" {'()") == std::string::npos;
  if (part.path.empty() || !plain) {
    throw InputError(where + ": expected the name of a field between braces, got " +
                     quote("{" + text + "}") + " (a brace itself is written twice)");
  }
  while (end < text.size()) {
    const std::size_t begin = end + 1;
    end = end_of_call(text, begin);
    const std::string call = text.substr(begin, end - begin);
    const std::size_t open = call.find("('");
    const std::string name = call.substr(0, open);
    const bool argument = open != std::string::npos && call.ends_with("')") &&
                          call.size() > open + 4;  // at least one character between the quotes
    const bool takes_one =
        std::find(kWithArgument.begin(), kWithArgument.end(), name) != kWithArgument.end();
    if (takes_one && argument) {
      part.calls.push_back({name, call.substr(open + 2, call.size() - open - 4)});
    } else if (call == "strip") {
      part.calls.push_back({call, ""});
    } else {
      throw InputError(where +
                       ": expected before('..'), after('..'), before_last('..'), after_last('..') "
                       "or strip, got " +
                       quote(call));
    }
  }
  return part;
}

Template Template::parse(const std::string& text, const std::string& where) {
  Template result;
  std::string literal;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '{' && c != '}') {
      literal += c;
    } else if (i + 1 < text.size() && text[i + 1] == c) {
      literal += c;
      ++i;
    } else {
      const std::size_t end = c == '{' ? end_of_field(text, i + 1) : std::string::npos;
      if (end == std::string::npos) {
        throw InputError(where + ": " + quote(text) +
                         " has a brace without its partner (a brace itself is written twice)");
      }
      result.parts_.push_back(parse_field(text.substr(i + 1, end - i - 1), where));
      result.parts_.back().literal = std::move(literal);
      literal.clear();
      i = end;
    }
  }
  result.parts_.push_back({literal});
  return result;
}

std::string Template::render(const Document& document) const {
  std::string result;
  for (const Part& part : parts_) {
    result += part.literal;
    if (part.path.empty()) continue;
    std::string text = document.text(part.path);
    for (const Call& call : part.calls) {
      text = apply(call.function, call.argument, text, document.where);
    }
    result += text;
  }
  return result;
}

}  // namespace simba::eval
