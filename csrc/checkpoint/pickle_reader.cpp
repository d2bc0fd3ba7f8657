#include "csrc/checkpoint/pickle_reader.h"

#include <cstring>
#include <utility>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba::pickle {
namespace {

// A state_dict takes about 200 bytes and 40 values per tensor: room for tens of thousands of
// tensors.
constexpr std::size_t kLargestPickle = std::size_t{16} << 20;
constexpr std::size_t kMostValues = std::size_t{1} << 22;
constexpr std::size_t kLongestLine = 256;

}  // namespace

PickleReader::PickleReader(std::string_view pickle, const std::string& file, PickleHost& host)
    : pickle_(pickle), file_(file), host_(host) {}

const Value& PickleReader::read() {
  if (pickle_.size() > kLargestPickle) {
    fail("more than " + std::to_string(kLargestPickle) + " bytes");
  }
  while (step(static_cast<unsigned char>(bytes(1)[0]))) {
  }
  if (at_ != pickle_.size()) fail("bytes after its end");
  if (stack_.size() != 1 || !marks_.empty()) fail("it leaves more than one value, or none");
  return *stack_[0];
}

void PickleReader::fail(const std::string& text) const {
  throw InputError(file_ + ": pickle refused at byte " + std::to_string(at_) + ": " + text);
}

std::string_view PickleReader::bytes(std::size_t count) {
  if (count > pickle_.size() - at_) fail("truncated");
  at_ += count;
  return pickle_.substr(at_ - count, count);
}

// Little-endian two's complement of at most 8 bytes.
std::int64_t PickleReader::integer(std::size_t width, bool is_signed) {
  const std::string_view field = bytes(width);
  const bool negative = is_signed && width > 0 && (field.back() & 0x80) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(field[i]);
  return static_cast<std::int64_t>(value);
}

// Big-endian, unlike all other numbers.
double PickleReader::binary_float() {
  std::uint64_t bits = 0;
  for (const char c : bytes(8)) bits = bits << 8 | static_cast<unsigned char>(c);
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::string_view PickleReader::line() {
  const std::size_t end = pickle_.substr(at_, kLongestLine).find('\n');
  if (end == std::string_view::npos) fail("truncated or overlong name");
  return bytes(end + 1).substr(0, end);
}

void PickleReader::push(Value value) {
  if (values_.size() == kMostValues) fail("too many values");
  values_.push_back(std::move(value));
  stack_.push_back(&values_.back());
}

// What lies under an open mark is out of reach of every opcode but those that close the group.
Value* PickleReader::top() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back()))
    fail("a value taken from an empty stack");
  return stack_.back();
}

Value* PickleReader::pop() {
  Value* value = top();
  stack_.pop_back();
  return value;
}

Items PickleReader::pop_items(std::size_t count) {
  Items items(count);
  while (count > 0) items[--count] = pop();
  return items;
}

Items PickleReader::pop_to_mark() {
  if (marks_.empty()) fail("the end of a group that never began");
  Items items = pop_items(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

const Items& PickleReader::pop_tuple() {
  const Value* value = pop();
  const Tuple* tuple = std::get_if<Tuple>(&value->is);
  if (tuple == nullptr) fail("expected a tuple, got " + type_name(*value));
  return tuple->items;
}

// Executes one opcode; false after the last.
bool PickleReader::step(unsigned char opcode) {
  switch (opcode) {
    case 0x80:  // PROTO
      check_protocol();
      break;
    case 'N':  // NONE
      push({None{}});
      break;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push({opcode == 0x88});
      break;
    case 'J':  // BININT
      push({integer(4, true)});
      break;
    case 'K':  // BININT1
      push({integer(1, false)});
      break;
    case 'M':  // BININT2
      push({integer(2, false)});
      break;
    case 0x8a:  // LONG1
      push_long();
      break;
    case 'G':  // BINFLOAT
      push({binary_float()});
      break;
    case 'X':  // BINUNICODE
      push({bytes(static_cast<std::size_t>(integer(4, false)))});
      break;
    case '(':  // MARK
      marks_.push_back(stack_.size());
      break;
    case ')':  // EMPTY_TUPLE
      push({Tuple{}});
      break;
    case 0x85:  // TUPLE1, TUPLE2, TUPLE3
    case 0x86:
    case 0x87:
      push({Tuple{pop_items(opcode - 0x84u)}});
      break;
    case 't':  // TUPLE
      push({Tuple{pop_to_mark()}});
      break;
    case ']':  // EMPTY_LIST
      push({List{}});
      break;
    case 'a':  // APPEND
      append(pop_items(1));
      break;
    case 'e':  // APPENDS
      append(pop_to_mark());
      break;
    case '}':  // EMPTY_DICT
      push({Dict{}});
      break;
    case 's':  // SETITEM
      set_items(pop_items(2));
      break;
    case 'u':  // SETITEMS
      set_items(pop_to_mark());
      break;
    case 'q':  // BINPUT, LONG_BINPUT
    case 'r':
      put(integer(opcode == 'q' ? 1 : 4, false));
      break;
    case 'h':  // BINGET, LONG_BINGET
    case 'j':
      get(integer(opcode == 'h' ? 1 : 4, false));
      break;
    case 'c':  // GLOBAL
      global();
      break;
    case 'Q':  // BINPERSID
      push(host_.find_persistent(pop_tuple()));
      break;
    case 'R':  // REDUCE
      reduce();
      break;
    case 'b':  // BUILD
      build();
      break;
    case '.':  // STOP
      return false;
    default:
      fail("opcode " + quote(std::string_view(reinterpret_cast<const char*>(&opcode), 1)) +
           " is none that torch.save writes for tensors");
  }
  return true;
}

void PickleReader::check_protocol() {
  const std::int64_t protocol = integer(1, false);
  if (protocol != 2) {
    fail("expected protocol 2, the default of torch.save, got " + std::to_string(protocol));
  }
}

void PickleReader::push_long() {
  const std::int64_t width = integer(1, false);
  if (width > 8) fail("an integer of more than 64 bits");
  push({integer(static_cast<std::size_t>(width), true)});
}

void PickleReader::put(std::int64_t index) { memo_[index] = top(); }

void PickleReader::get(std::int64_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) fail("no value was stored under number " + std::to_string(index));
  stack_.push_back(found->second);
}

void PickleReader::append(const Items& items) {
  List* list = std::get_if<List>(&top()->is);
  if (list == nullptr) fail("expected a list to append to, got " + type_name(*top()));
  list->items.insert(list->items.end(), items.begin(), items.end());
}

void PickleReader::set_items(const Items& items) {
  Dict* dict = std::get_if<Dict>(&top()->is);
  if (dict == nullptr) fail("expected a dict to set items of, got " + type_name(*top()));
  if (items.size() % 2 != 0) fail("a key without a value");
  dict->items.insert(dict->items.end(), items.begin(), items.end());
}

void PickleReader::global() {
  const std::string module(line());
  push(host_.find_global(module + "." + std::string(line())));
}

void PickleReader::reduce() {
  const Items& args = pop_tuple();
  const Value* value = pop();
  const Global* callable = std::get_if<Global>(&value->is);
  if (callable == nullptr) fail("expected something to call, got " + type_name(*value));
  push(host_.call(*callable, args));
}

// Attributes of an OrderedDict, as the _metadata of a state_dict: nothing that loading needs.
void PickleReader::build() {
  const Value* attributes = pop();
  if (!std::holds_alternative<Dict>(attributes->is) || !std::holds_alternative<Dict>(top()->is)) {
    fail("expected an OrderedDict and a dict of its attributes, got " + type_name(*top()) +
         " and " + type_name(*attributes));
  }
}

}  // namespace simba::pickle
