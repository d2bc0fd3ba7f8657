#include "csrc/checkpoint/restricted_unpickler.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/cpp/checkpoint/byte_writers.h"
#include "tests/cpp/refusal.h"

namespace simba::test {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

// Storage "0" holds 0, 1, ..., 11 as float32.
at::Tensor load_storage(std::string_view key, at::ScalarType dtype, std::int64_t elements) {
  if (key != "0" || dtype != at::kFloat || elements != 12) throw InputError("no such storage");
  return at::arange(12, at::kFloat);
}

NamedTensors read(const std::string& pickle) {
  return unpickle_tensors(pickle, "FILE", load_storage);
}

std::string storage() { return pickled::storage("FloatStorage", "0", 12); }

std::string one_tensor(std::int64_t offset, const std::vector<std::int64_t>& sizes,
                       const std::vector<std::int64_t>& strides) {
  return pickled::stream(
      pickled::dict({pickled::text("a"), pickled::tensor(storage(), offset, sizes, strides)}));
}

// As torch.save writes a state_dict of a parameter and a view, with its _metadata.
std::string state_dict() {
  const std::string parameter = pickled::call(
      pickled::global("torch._utils", "_rebuild_parameter"),
      {pickled::tensor(storage(), 0, {3, 4}, {4, 1}), "\x88", pickled::ordered_dict()});
  const std::string view = pickled::tensor(storage(), 1, {2, 3}, {1, 4});
  const std::string version = pickled::dict({pickled::text("version"), "K\x01"});
  return pickled::stream(
      pickled::ordered_dict() + "q\x05(" + pickled::text("a") + parameter + pickled::text("b") +
      view + "u" +
      pickled::dict({pickled::text("_metadata"),
                     pickled::ordered_dict() + pickled::text("") + version + "s"}) +
      "b");
}

TEST(RestrictedUnpickler, ReadsStateDict) {
  const NamedTensors tensors = read(state_dict());
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_TRUE(tensors.at("a").equal(at::arange(12, at::kFloat).reshape({3, 4})));
  EXPECT_TRUE(tensors.at("b").equal(at::arange(12, at::kFloat).reshape({3, 4}).t().slice(0, 1, 3)));
}

TEST(RestrictedUnpickler, ReadsPlainAndEmptyDicts) {
  EXPECT_EQ(read(one_tensor(11, {}, {})).at("a").item<float>(), 11);
  EXPECT_EQ(read(one_tensor(12, {0, 5}, {5, 1})).at("a").numel(), 0);
  EXPECT_TRUE(read(pickled::stream("}")).empty());
}

// One element, whose stride, which nothing limits, is the pickled number.
NamedTensors of_stride(const std::string& number) {
  const std::string tensor = pickled::call(
      pickled::global("torch._utils", "_rebuild_tensor_v2"),
      {storage(), pickled::integer(0), pickled::integers({1}), "(" + number + "t", "\x89", "N"});
  return read(pickled::stream(pickled::dict({pickled::text("a"), tensor})));
}

TEST(RestrictedUnpickler, ReadsEveryKindOfNumber) {
  // BININT, BININT1, BININT2 and LONG1. A set highest bit is a sign in the first and the last
  // alone.
  const std::pair<std::string, std::int64_t> numbers[] = {
      {"J" + little_endian(3, 4), 3},
      {"K\x03", 3},
      {"K\xc8", 200},
      {"M" + little_endian(3, 2), 3},
      {"M" + little_endian(50000, 2), 50000},
      {"\x8a\x01\x03", 3},
      {"\x8a\x02" + little_endian(200, 2), 200}};
  for (const auto& [number, stride] : numbers) {
    EXPECT_EQ(of_stride(number).at("a").stride(0), stride);
  }
  for (const std::string& minus_one :
       {"J" + little_endian(0xffffffff, 4), std::string("\x8a\x01\xff")}) {
    EXPECT_TRUE(refuses("reaches outside its storage", [&] { of_stride(minus_one); }));
  }
}

TEST(RestrictedUnpickler, RefusesOtherGlobals) {
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"builtins", "eval"},
                                                        {"torch", "load"},
                                                        {"torch.storage", "_load_from_bytes"},
                                                        {"torch._utils", "_rebuild_tensor"},
                                                        {"collections", "OrderedDict.__init__"},
                                                        {"torch", "ComplexFloatStorage"}}) {
    EXPECT_TRUE(refuses("FILE: forbidden global '" + module + "." + name + "'", [&] {
      read(pickled::stream(pickled::call(pickled::global(module, name), {pickled::text("true")})));
    }));
  }
  EXPECT_TRUE(refuses("forbidden global 'a\\x1b[31m.b\\xff'",
                      [] { read(pickled::stream(pickled::global("a\x1b[31m", "b\xff"))); }));
  EXPECT_TRUE(refuses("overlong",
                      [] { read(pickled::stream(pickled::global(std::string(300, 'a'), "b"))); }));
}

TEST(RestrictedUnpickler, RefusesOtherCalls) {
  const std::string list = "](" + pickled::text("a") + "e";
  EXPECT_TRUE(refuses("expected something to call, got a string", [] {
    read(pickled::stream(pickled::call(pickled::text("os.system"), {})));
  }));
  EXPECT_TRUE(refuses("a storage type is called", [] {
    read(pickled::stream(pickled::call(pickled::global("torch", "FloatStorage"), {})));
  }));
  EXPECT_TRUE(refuses("OrderedDict in its pickle: expected no arguments", [&] {
    read(pickled::stream(pickled::call(pickled::global("collections", "OrderedDict"), {list})));
  }));
  EXPECT_TRUE(refuses("expected 3 arguments", [] {
    read(pickled::stream(pickled::call(pickled::global("torch._utils", "_rebuild_parameter"), {})));
  }));
  EXPECT_TRUE(refuses("expected 6 or 7 arguments", [] {
    read(pickled::stream(pickled::call(pickled::global("torch._utils", "_rebuild_tensor_v2"), {})));
  }));
  EXPECT_TRUE(refuses("expected a tuple, got a list", [&] {
    read(pickled::stream(pickled::global("collections", "OrderedDict") + list + "R"));
  }));
  EXPECT_TRUE(refuses("expected an OrderedDict", [&] { read(pickled::stream(list + "}b")); }));
}

TEST(RestrictedUnpickler, RefusesOtherOpcodes) {
  // INST, OBJ, NEWOBJ, STACK_GLOBAL, EXT1, PERSID, INT, FRAME, MEMOIZE, POP, DUP, NEXT_BUFFER.
  for (const char opcode : std::string("io\x81\x93\x82PI\x95\x94\x30\x32\x97")) {
    EXPECT_TRUE(refuses("is none that torch.save writes",
                        [&] { read(pickled::stream(std::string(1, opcode) + "os\nsystem\n")); }));
  }
  EXPECT_TRUE(refuses("expected protocol 2", [] { read(std::string("\x80\x04}.")); }));
}

TEST(RestrictedUnpickler, RefusesTensorsOutsideTheirStorage) {
  struct Case {
    std::int64_t offset;
    std::vector<std::int64_t> sizes, strides;
    const char* words;
  };
  const std::vector<Case> cases = {
      {0, {13}, {1}, "reaches outside its storage of 12 elements"},
      {1, {12}, {1}, "reaches outside"},
      {12, {}, {}, "reaches outside"},
      {13, {0}, {1}, "reaches outside"},
      {-1, {2}, {1}, "reaches outside"},
      {kHuge, {2}, {1}, "reaches outside"},
      {0, {3, 4}, {5, 1}, "reaches outside"},
      {0, {2, 2}, {kHuge, kHuge}, "reaches outside"},
      {0, {3}, {kHuge / 2 + 1}, "reaches outside"},
      {5, {2}, {-1}, "reaches outside"},
      {0, {-1}, {1}, "negative or overflowing size"},
      {0, {kHuge, 2}, {0, 0}, "negative or overflowing size"},
      {0, {0, kHuge, kHuge}, {1, 1, 1}, "negative or overflowing size"},
      {0, {1000000000}, {0}, "1000000000 elements, its storage 12"},
      {0, {2, 3}, {1}, "2 sizes and 1 strides"},
      {0, std::vector<std::int64_t>(17, 1), std::vector<std::int64_t>(17, 1), "17 sizes"},
  };
  for (const Case& row : cases) {
    EXPECT_TRUE(refuses(row.words, [&] { read(one_tensor(row.offset, row.sizes, row.strides)); }));
  }
}

TEST(RestrictedUnpickler, RefusesOtherContents) {
  const std::string tensor = pickled::tensor(storage(), 0, {1}, {1});
  const auto refused = [](const std::string& words, const std::string& value) {
    return refuses(words, [&] { read(pickled::stream(value)); });
  };
  EXPECT_TRUE(refused("expected a dict of tensors, got a tensor", tensor));
  EXPECT_TRUE(refused("expected a dict of tensors, got a list", "]"));
  EXPECT_TRUE(refused("as 'epoch', got an int", pickled::dict({pickled::text("epoch"), "K\x01"})));
  EXPECT_TRUE(refused("as 'model', got a dict", pickled::dict({pickled::text("model"), "}"})));
  EXPECT_TRUE(refused("names of tensors expected, got an int", pickled::dict({"K\x01", tensor})));
  EXPECT_TRUE(refused("tensor 'a' occurs twice",
                      pickled::dict({pickled::text("a"), tensor, pickled::text("a"), tensor})));
  EXPECT_TRUE(refused("'a\\x0ab'", pickled::dict({pickled::text("a\nb"), "N"})));
  EXPECT_TRUE(refused("a key without a value", pickled::dict({pickled::text("a")})));
  EXPECT_TRUE(refused("does not name a storage", pickled::tuple({pickled::text("module")}) + "Q"));
  EXPECT_TRUE(refused("expected a tuple, got a string", pickled::text("storage") + "Q"));
  EXPECT_TRUE(refused("no such storage", pickled::storage("FloatStorage", "1", 12)));
  EXPECT_TRUE(refused(
      "a storage type expected",
      pickled::tuple({pickled::text("storage"), pickled::global("collections", "OrderedDict"),
                      pickled::text("0"), pickled::text("cpu"), "K\x0c"}) +
          "Q"));
}

TEST(RestrictedUnpickler, RefusesInconsistentStreams) {
  const auto refused = [](const std::string& words, const std::string& pickle) {
    return refuses(words, [&] { read(pickle); });
  };
  EXPECT_TRUE(refused("no value was stored under number 7", pickled::stream("h\x07")));
  EXPECT_TRUE(refused("no value was stored", pickled::stream("j" + little_endian(0xffffffff, 4))));
  EXPECT_TRUE(refused("empty stack", pickled::stream("q\x01")));
  EXPECT_TRUE(
      refused("empty stack", pickled::stream("}(0u" + std::string("s")).replace(4, 1, "s")));
  EXPECT_TRUE(refused("empty stack", pickled::stream("}NN(s")));
  EXPECT_TRUE(refused("empty stack", pickled::stream("\x87")));
  EXPECT_TRUE(refused("never began", pickled::stream("t")));
  EXPECT_TRUE(refused("more than one value", pickled::stream("}}")));
  EXPECT_TRUE(refused("more than one value", pickled::stream("}(")));
  EXPECT_TRUE(refused("more than one value, or none", pickled::stream("")));
  EXPECT_TRUE(refused("bytes after its end", pickled::stream("}") + "}"));
  EXPECT_TRUE(refused("truncated", pickled::stream("X" + little_endian(0xffffffff, 4))));
  EXPECT_TRUE(refused("more than 64 bits", pickled::stream("\x8a\x09" + std::string(9, '\1'))));
  EXPECT_TRUE(refused("expected a dict to set items of, got a list", pickled::stream("](NNu")));
  EXPECT_TRUE(refused("expected a list to append to, got a dict", pickled::stream("}(Ne")));
}

TEST(RestrictedUnpickler, RefusesBombs) {
  EXPECT_TRUE(refuses("too many values", [] { read(pickled::stream(std::string(5 << 20, 'N'))); }));
  EXPECT_TRUE(refuses("more than 16777216 bytes", [] { read(std::string((16 << 20) + 1, 'N')); }));
  // A million nested tuples, and a list that contains itself: freed without recursion or leak.
  EXPECT_TRUE(
      refuses("got a tuple", [] { read(pickled::stream("N" + std::string(1 << 20, '\x85'))); }));
  EXPECT_TRUE(
      refuses("got a list", [] { read(pickled::stream("]q\x01h\x01" + std::string("a"))); }));
}

TEST(RestrictedUnpickler, RefusesEveryTruncation) {
  const std::string whole = state_dict();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(refuses("FILE: ", [&] { read(whole.substr(0, size)); })) << "cut at " << size;
  }
}

// Whatever a changed byte makes of it, the outcome is a refusal or tensors that can be read.
TEST(RestrictedUnpickler, SurvivesEveryChangedByte) {
  const std::string whole = state_dict();
  std::size_t refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = whole;
      changed[i] = static_cast<char>(value);
      try {
        for (const auto& [name, tensor] : read(changed)) tensor.clone();
      } catch (const InputError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, whole.size() * 128);
}

}  // namespace
}  // namespace simba::test
