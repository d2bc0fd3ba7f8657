#include "eval/text/toml_table.h"

#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>
#include <string_view>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba::eval {
namespace {

// What the library says of a file quotes it.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

// Of a string or a number.
std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return text;
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto number = node.value_exact<double>()) {
    char digits[32];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, *number).ptr);
  }
  return std::nullopt;
}

}  // namespace

struct TomlTable::Content {
  std::shared_ptr<const toml::table> file;  // keeps `table` alive
  const toml::table* table;
  std::string path;
  std::set<std::string> asked = {};

  std::string line_of(const toml::source_region& region) const {
    return path + ":" + std::to_string(std::max<std::uint32_t>(region.begin.line, 1));
  }

  const toml::node* find(const std::string& key) {
    asked.insert(key);
    return table->get(key);
  }

  const toml::node& at(const std::string& key, const std::string& expected) {
    if (const toml::node* node = find(key)) return *node;
    throw InputError(line_of(table->source()) + ": expected a key '" + key + "' (" + expected +
                     "), found none");
  }

  [[noreturn]] void refuse(const std::string& key, const toml::node& node,
                           const std::string& expected) const {
    std::ostringstream type;
    type << node.type();
    throw InputError(line_of(node.source()) + ": " + key + ": expected " + expected + ", got " +
                     type.str());
  }

  // A scalar of exactly this type: toml++ by itself would turn 1 into true.
  template <typename T>
  T scalar(const std::string& key, const std::string& expected) {
    const toml::node& node = at(key, expected);
    if (const auto value = node.value_exact<T>()) return *value;
    refuse(key, node, expected);
  }
};

TomlTable TomlTable::parse(const std::string& text, const std::string& path) {
  try {
    auto file = std::make_shared<const toml::table>(toml::parse(text, path));
    const toml::table* table = file.get();
    return TomlTable(std::make_shared<Content>(Content{std::move(file), table, path}));
  } catch (const toml::parse_error& error) {
    throw InputError(path + ":" + std::to_string(error.source().begin.line) +
                     ": not TOML: " + one_line(error.description()));
  }
}

bool TomlTable::has(const std::string& key) const { return content_->find(key) != nullptr; }

std::string TomlTable::string(const std::string& key) const {
  return content_->scalar<std::string>(key, "a string");
}

std::int64_t TomlTable::integer(const std::string& key) const {
  return content_->scalar<std::int64_t>(key, "an integer");
}

bool TomlTable::boolean(const std::string& key) const {
  return content_->scalar<bool>(key, "true or false");
}

std::vector<std::string> TomlTable::strings(const std::string& key) const {
  constexpr auto kExpected = "a list of strings, at least one";
  const toml::node& node = content_->at(key, kExpected);
  const toml::array* array = node.as_array();
  if (!array || array->empty()) content_->refuse(key, node, kExpected);
  std::vector<std::string> values;
  for (const toml::node& item : *array) {
    const auto value = item.value_exact<std::string>();
    if (!value) content_->refuse(key, item, kExpected);
    values.push_back(*value);
  }
  return values;
}

TomlTable TomlTable::table(const std::string& key) const {
  const std::string expected = "a table [" + key + "]";
  const toml::node& node = content_->at(key, expected);
  if (!node.as_table()) content_->refuse(key, node, expected);
  return TomlTable(
      std::make_shared<Content>(Content{content_->file, node.as_table(), content_->path}));
}

std::vector<TomlTable> TomlTable::tables(const std::string& key) const {
  const std::string expected = "tables [[" + key + "]], at least one";
  const toml::node& node = content_->at(key, expected);
  const toml::array* array = node.as_array();
  if (!array || array->empty()) content_->refuse(key, node, expected);
  std::vector<TomlTable> tables;
  for (const toml::node& item : *array) {
    if (!item.as_table()) content_->refuse(key, item, expected);
    tables.push_back(TomlTable(
        std::make_shared<Content>(Content{content_->file, item.as_table(), content_->path})));
  }
  return tables;
}

std::vector<TomlItem> TomlTable::items(const std::string& key) const {
  constexpr auto kExpected = "a value or a list of values";
  const toml::node& node = content_->at(key, kExpected);
  std::vector<TomlItem> items;
  const auto add = [&](const toml::node& item) {
    TomlItem result{content_->line_of(item.source()), "", std::nullopt};
    if (item.as_table()) {
      result.table = TomlTable(
          std::make_shared<Content>(Content{content_->file, item.as_table(), content_->path}));
    } else if (const auto text = scalar_text(item)) {
      result.text = *text;
    } else {
      content_->refuse(key, item, kExpected);
    }
    items.push_back(std::move(result));
  };
  if (const toml::array* array = node.as_array()) {
    if (array->empty()) {
      throw InputError(content_->line_of(node.source()) + ": " + key + ": expected " + kExpected +
                       ", got an empty list");
    }
    for (const toml::node& item : *array) add(item);
  } else {
    add(node);
  }
  return items;
}

std::int64_t TomlTable::integer_or(const std::string& key, std::int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

std::string TomlTable::string_or(const std::string& key, const std::string& otherwise) const {
  return has(key) ? string(key) : otherwise;
}

std::string TomlTable::where(const std::string& key) const {
  const toml::node* node = content_->table->get(key);
  return content_->line_of(node ? node->source() : content_->table->source());
}

std::string TomlTable::where() const { return content_->line_of(content_->table->source()); }

void TomlTable::refuse_other_keys() const {
  for (const auto& [key, node] : *content_->table) {
    const std::string name(key.str());
    if (content_->asked.count(name)) continue;
    std::string known;
    for (const std::string& asked : content_->asked) known += (known.empty() ? "" : ", ") + asked;
    throw InputError(content_->line_of(key.source()) + ": unknown key " + quote(name) +
                     "; expected one of " + known);
  }
}

}  // namespace simba::eval
