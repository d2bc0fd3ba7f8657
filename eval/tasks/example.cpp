#include "eval/tasks/example.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba::eval {
namespace {

// The label as an index; at least `choices.size()`, or negative, where it is none.
std::int64_t read_index(const LabelRule& rule, const std::string& text, const Document& document) {
  if (rule.form == LabelRule::Form::kKey) {
    const std::vector<std::string>& keys = document.list(rule.keys);
    const auto found = std::find(keys.begin(), keys.end(), text);
    return found == keys.end() ? -1 : found - keys.begin();
  }
  if (rule.form == LabelRule::Form::kLetter) return text.size() == 1 ? text.front() - 'A' : -1;
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return -1;
  return rule.form == LabelRule::Form::kNumber ? value - 1 : value;
}

std::string expected_label(const LabelRule& rule, std::size_t choices, const Document& document) {
  const std::string count = std::to_string(choices);
  switch (rule.form) {
    case LabelRule::Form::kIndex:
      return "0 to " + std::to_string(choices - 1);
    case LabelRule::Form::kNumber:
      return "1 to " + count;
    case LabelRule::Form::kLetter:
      return std::string("A to ") + static_cast<char>('A' + choices - 1);
    case LabelRule::Form::kKey:
      break;
  }
  std::string keys;
  for (const std::string& key : document.list(rule.keys)) keys += (keys.empty() ? "" : ", ") + key;
  return "one of " + quote(keys);
}

std::size_t read_label(const LabelRule& rule, std::size_t choices, const Document& document) {
  const std::string& text = document.text(rule.field);
  const std::int64_t index = read_index(rule, text, document);
  if (index >= 0 && index < static_cast<std::int64_t>(choices)) {
    return static_cast<std::size_t>(index);
  }
  throw InputError(document.where + ": " + rule.field + ": expected " +
                   expected_label(rule, choices, document) + ", got " + quote(text));
}

void require_text(const std::vector<std::string>& texts, const char* what,
                  const Document& document) {
  if (texts.empty()) throw InputError(document.where + ": expected " + what + "s, found none");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].empty()) continue;
    throw InputError(document.where + ": expected a text as " + what + " " + std::to_string(i) +
                     ", got an empty one");
  }
}

std::vector<std::string> render_all(const std::vector<Template>& templates,
                                    const Document& document) {
  std::vector<std::string> texts;
  for (const Template& text : templates) texts.push_back(text.render(document));
  return texts;
}

}  // namespace

std::string Example::answered(const std::string& delimiter) const {
  return contexts[contexts.size() > 1 ? gold : 0] + delimiter +
         continuations[continuations.size() > 1 ? gold : 0];
}

Example make_example(const TaskConfig& task, const Document& document) {
  Example example;
  example.where = document.where;
  example.contexts = render_all(task.contexts, document);
  if (task.kind == TaskKind::kChoices) {
    example.choices = task.choices_field.empty() ? render_all(task.choices, document)
                                                 : document.list(task.choices_field);
    require_text(example.choices, "choice", document);
    example.continuations = example.choices;
  } else {
    example.continuations = {task.target->render(document)};
    require_text(example.continuations, "target", document);
    example.choices = task.kind == TaskKind::kContexts ? example.contexts : example.continuations;
  }
  if (task.kind != TaskKind::kTarget) {
    example.gold = read_label(task.label, example.choices.size(), document);
  }
  return example;
}

}  // namespace simba::eval
