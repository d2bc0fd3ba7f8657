// A TOML file read key by key: every wrong key, type or value is reported with file and line, and
// so is a key that nobody asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace simba::eval {

struct TomlItem;

class TomlTable {
 public:
  // The table of a whole file (`path` is its name in messages). Throws InputError with file and
  // line where it is no TOML.
  static TomlTable parse(const std::string& text, const std::string& path);

  bool has(const std::string& key) const;

  // The value of a key. Throws InputError where it is missing or has another type.
  std::string string(const std::string& key) const;
  std::int64_t integer(const std::string& key) const;
  bool boolean(const std::string& key) const;
  std::vector<std::string> strings(const std::string& key) const;  // at least one
  TomlTable table(const std::string& key) const;
  std::vector<TomlTable> tables(const std::string& key) const;  // [[key]], at least one

  // One value or a list of values: strings, numbers and tables, as they come. At least one.
  std::vector<TomlItem> items(const std::string& key) const;

  std::string string_or(const std::string& key, const std::string& otherwise) const;
  std::int64_t integer_or(const std::string& key, std::int64_t otherwise) const;

  // "FILE:LINE" of a key, or of the table where the key is missing.
  std::string where(const std::string& key) const;
  std::string where() const;

  // Throws InputError naming the first key that none of the calls above asked for. Call it on every
  // table once all was read.
  void refuse_other_keys() const;

 private:
  struct Content;
  explicit TomlTable(std::shared_ptr<Content> content) : content_(std::move(content)) {}

  std::shared_ptr<Content> content_;
};

// A value of a list.
struct TomlItem {
  std::string where;  // "FILE:LINE"
  std::string text;   // a string, or a number in its shortest decimal: 0.10 is "0.1"
  std::optional<TomlTable> table;
};

}  // namespace simba::eval
