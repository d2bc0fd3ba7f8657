// One line of a benchmark's file.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace simba::eval {

// Fields by path: {"question": {"stem": "..", "choices": [{"text": ".."}, ..]}} has "question.stem"
// and, where every element has one, the list "question.choices[].text". Numbers and booleans are
// kept as their text; a null is no field.
struct Document {
  using Field = std::variant<std::string, std::vector<std::string>>;

  std::string where;  // "FILE:LINE"
  std::map<std::string, Field> fields;

  // Throw InputError naming line and field where it is missing or of the other kind.
  const std::string& text(const std::string& path) const;
  const std::vector<std::string>& list(const std::string& path) const;
};

// A JSON object. Throws InputError naming `where` on bad UTF-8 or bad JSON.
Document parse_document(std::string_view json, const std::string& where);

}  // namespace simba::eval
