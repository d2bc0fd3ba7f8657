// The small language in which a task's file says how a prompt is made from a document's fields.
//
//   {PATH}                     the text of a field, e.g. {goal} or {question.stem}
//   {PATH|FUNCTION|FUNCTION}   the same, changed by functions from left to right:
//     before('x')       what is before the first x       after('x')       what is after it
//     before_last('x')  what is before the last x        after_last('x')  what is after it
//     strip             without white space at both ends (Python's str.strip)
//   {{ and }}                  a brace
//
// Where there is no x, before and after are an error; before_last gives '' and after_last the whole
// text, as Python's rpartition does.
#pragma once

#include <string>
#include <vector>

#include "eval/tasks/document.h"

namespace simba::eval {

class Template {
 public:
  // Throws InputError that begins with `where`.
  static Template parse(const std::string& text, const std::string& where);

  // Throws InputError naming the document's line.
  std::string render(const Document& document) const;

 private:
  struct Call {
    std::string function;
    std::string argument;
  };
  struct Part {
    std::string literal;
    std::string path = {};  // a field after the literal; empty: none
    std::vector<Call> calls = {};
  };

  static Part parse_field(const std::string& text, const std::string& where);

  std::vector<Part> parts_;
};

}  // namespace simba::eval
