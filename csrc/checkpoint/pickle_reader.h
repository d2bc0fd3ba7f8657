// The stack machine of pickle protocol 2 (format: CPython's Lib/pickletools.py), with only the
// opcodes that torch.save writes for tensors. It builds plain containers and numbers itself;
// whatever has a meaning outside the stream is asked of a PickleHost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "csrc/checkpoint/pickle_value.h"

namespace simba::pickle {

class PickleHost {
 public:
  virtual ~PickleHost() = default;
  // Each throws InputError to refuse.
  virtual Value find_global(const std::string& name) = 0;  // "module.name"
  virtual Value find_persistent(const Items& id) = 0;
  virtual Value call(const Global& callable, const Items& args) = 0;
};

class PickleReader {
 public:
  // `file` begins every error. The bytes, the name and the host must outlive the reader.
  PickleReader(std::string_view pickle, const std::string& file, PickleHost& host);

  // The one value of the stream, which lives as long as the reader. Throws InputError on another
  // opcode or protocol, a truncated or inconsistent stream, and more than 16 MiB or 4 million
  // values.
  const Value& read();

 private:
  [[noreturn]] void fail(const std::string& text) const;
  std::string_view bytes(std::size_t count);
  std::int64_t integer(std::size_t width, bool is_signed);
  double binary_float();
  std::string_view line();

  void push(Value value);
  Value* top();
  Value* pop();
  Items pop_items(std::size_t count);
  Items pop_to_mark();
  const Items& pop_tuple();

  bool step(unsigned char opcode);
  void check_protocol();
  void push_long();
  void put(std::int64_t index);
  void get(std::int64_t index);
  void append(const Items& items);
  void set_items(const Items& items);
  void global();
  void reduce();
  void build();

  std::string_view pickle_;
  const std::string& file_;
  PickleHost& host_;
  std::size_t at_ = 0;
  std::deque<Value> values_;  // the arena
  std::vector<Value*> stack_;
  std::vector<std::size_t> marks_;  // stack sizes where groups began
  std::unordered_map<std::int64_t, Value*> memo_;
};

}  // namespace simba::pickle
