#include "csrc/checkpoint/safetensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "tests/cpp/checkpoint/byte_writers.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {
namespace {

class Safetensors : public testing::Test {
 protected:
  NamedTensors read(const std::string& bytes) {
    return read_safetensors(folder_.write("model.safetensors", bytes));
  }
  testing::AssertionResult refused(const std::string& words, const std::string& bytes) {
    return refuses(words, [&] { read(bytes); });
  }

  TemporaryFolder folder_;
};

const std::string kData(16, '\0');

// A header with one float32 tensor 'a', and 16 bytes of data.
std::string one(const std::string& shape, const std::string& offsets,
                const std::string& dtype = "F32") {
  return safetensors("{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
                         ",\"data_offsets\":" + offsets + "}}",
                     kData);
}

TEST_F(Safetensors, ReadsEveryType) {
  const std::vector<std::pair<std::string, at::ScalarType>> types = {
      {"F64", at::kDouble},         {"F32", at::kFloat},
      {"F16", at::kHalf},           {"BF16", at::kBFloat16},
      {"I64", at::kLong},           {"I32", at::kInt},
      {"I16", at::kShort},          {"I8", at::kChar},
      {"U64", at::kUInt64},         {"U32", at::kUInt32},
      {"U16", at::kUInt16},         {"U8", at::kByte},
      {"BOOL", at::kBool},          {"F8_E4M3", at::kFloat8_e4m3fn},
      {"F8_E5M2", at::kFloat8_e5m2}};
  for (const auto& [name, dtype] : types) {
    const std::int64_t size = 16 / static_cast<std::int64_t>(c10::elementSize(dtype));
    const at::Tensor tensor = read(one("[" + std::to_string(size) + "]", "[0,16]", name)).at("a");
    EXPECT_EQ(tensor.scalar_type(), dtype);
    EXPECT_EQ(tensor.sizes(), at::IntArrayRef({size}));
  }
  EXPECT_TRUE(refused("unknown dtype 'F4'", one("[32]", "[0,16]", "F4")));
  EXPECT_TRUE(refused("unknown dtype 'f32'", one("[4]", "[0,16]", "f32")));
}

TEST_F(Safetensors, ReadsValues) {
  const NamedTensors written = {{"a", at::arange(6, at::kFloat).reshape({2, 3})},
                                {"b", at::arange(5, at::kBFloat16)},
                                {"c", at::zeros({0, 3})},
                                {"d", at::ones({})}};
  const NamedTensors tensors = read(safetensors(written));
  ASSERT_EQ(tensors.size(), written.size());
  for (const auto& [name, expected] : written)
    EXPECT_TRUE(tensors.at(name).equal(expected)) << name;
  EXPECT_FALSE(tensors.at("a").storage().resizable());  // memory that ATen does not own
}

TEST_F(Safetensors, AcceptsWhatTheFormatAllows) {
  const std::string entry = "\"a\":{\"shape\":[4],\"data_offsets\":[0,16],\"dtype\":\"F32\"}";
  EXPECT_EQ(read(safetensors("{" + entry + "}      ", kData)).size(), 1u);
  EXPECT_EQ(read(safetensors("{\"__metadata__\":{\"format\":\"pt\"}," + entry + "}", kData)).size(),
            1u);
  EXPECT_TRUE(read(safetensors("{}", "")).empty());
  // Entries in any order, data at an odd address: copied, so that no read is misaligned.
  const NamedTensors tensors =
      read(safetensors("{\"b\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[1,13]},"
                       "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                       "!" + bytes_of(at::ones({3}))));
  EXPECT_TRUE(tensors.at("b").equal(at::ones({3})));
}

TEST_F(Safetensors, RefusesBadLengths) {
  EXPECT_TRUE(refused("got 0 bytes", ""));
  EXPECT_TRUE(refused("got 7 bytes", "1234567"));
  EXPECT_TRUE(refused("header length of 1000", little_endian(1000, 8) + "{}"));
  EXPECT_TRUE(refused("header length of 18446744073709551615", little_endian(~0ull, 8) + "{}"));
  EXPECT_TRUE(refused("at most 100000000 bytes, got a header length of 100000001",
                      little_endian(100000001, 8) + "{}" + std::string(100000010, ' ')));
  EXPECT_TRUE(refused("begins with '{', got ''", little_endian(0, 8)));
  EXPECT_TRUE(refused("begins with '{', got ' '", safetensors(" {}", "")));
  EXPECT_TRUE(refused("begins with '{', got '['", safetensors("[]", "")));
}

// The format asks for '{' as the header's first byte; JSON itself would allow what comes before it
// here.
TEST_F(Safetensors, RefusesAHeaderThatBeginsOtherwise) {
  const std::string object = "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}";
  for (const std::string before : {" ", "\n", "\t", "\xef\xbb\xbf"}) {
    EXPECT_TRUE(refused("begins with '{'", safetensors(before + object, kData))) << before;
  }
}

TEST_F(Safetensors, RefusesBadJson) {
  const std::string a = "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "invalid JSON"},
      {"{}x", "invalid JSON"},
      {"{}{}", "invalid JSON"},
      {"{\"a\":" + a + ",}", "invalid JSON"},
      {"{\"a\xff\":" + a + "}", "invalid JSON"},
      {std::string("{}\0{", 4), "a NUL byte"},
      {"{\"a\":" + a + ",\"a\":" + a + "}", "name 'a' occurs twice"},
      {"{\"a\":" + a + ",\"\\u0061\":" + a + "}", "name 'a' occurs twice"},
      {"{\"a\":" + a + ",\"__metadata__\":{},\"__metadata__\":{}}", "'__metadata__' occurs twice"},
      {"{\"__metadata__\":{\"k\":\"v\",\"k\":\"v\"},\"a\":" + a + "}", "key 'k' occurs twice"},
      {"{\"__metadata__\":{\"k\":1},\"a\":" + a + "}", "expected texts only, got a number"},
      {"{\"__metadata__\":{\"k\":{}},\"a\":" + a + "}", "expected texts only, got an object"},
      {"{\"__metadata__\":[],\"a\":" + a + "}", "expected an object, got an array"},
      {"{\"a\":null}", "'a': expected an object, got null"},
      {"{\"a\":[" + a + "]}", "'a': expected an object, got an array"},
      {"{\"a\":{\"shape\":[4],\"data_offsets\":[0,16]}}", "no dtype"},
      {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}", "no shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}", "no data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
       "key 'dtype' occurs twice"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"offset\":1}}",
       "got key 'offset'"},
      {"{\"a\":{\"dtype\":1}}", "unexpected value of 'dtype': a number"},
      {"{\"a\":{\"shape\":4}}", "unexpected value of 'shape': a number"},
      {"{\"a\":{\"shape\":\"4\"}}", "unexpected value of 'shape'"},
  };
  for (const auto& [header, words] : cases) EXPECT_TRUE(refused(words, safetensors(header, kData)));
  EXPECT_TRUE(refused("expected an object, got an array",
                      safetensors("{\"a\":" + std::string(1 << 20, '[') + "}", "")));
}

TEST_F(Safetensors, RefusesBadShapesAndOffsets) {
  const std::vector<std::array<std::string, 3>> cases = {
      {"[-4]", "[0,16]", "the negative number -4"},
      {"[4.0]", "[0,16]", "the number '4.0'"},
      {"[4e0]", "[0,16]", "the number '4e0'"},
      {"[18446744073709551616]", "[0,16]", "no integer of 64 bits"},
      {"[18446744073709551615]", "[0,16]", "shape too large"},
      {"[true]", "[0,16]", "got a bool"},
      {"[[4]]", "[0,16]", "got an array"},
      {"[4]", "[0]", "expected two data_offsets"},
      {"[4]", "[0,8,16]", "expected two data_offsets"},
      {"[4]", "[-16,0]", "the negative number -16"},
      {"[4]", "[16,0]", "leave a gap or overlap"},
      {"[3]", "[4,16]", "leave a gap or overlap"},
      {"[5]", "[0,20]", "reach outside the file"},
      {"[4]", "[0,18446744073709551615]", "reach outside the file"},
      {"[3]", "[0,16]", "which need 12 bytes"},
      {"[0]", "[0,16]", "which need 0 bytes"},
      {"[]", "[0,16]", "which need 4 bytes"},
      {"[4611686018427387904]", "[0,0]", "more than 2^63"},
      {"[4294967296,4294967296]", "[0,0]", "more than 2^63"},
      {"[0,4611686018427387904,4611686018427387904]", "[0,0]", "more than 2^63"},
      {"[3]", "[0,12]", "4 bytes after the last tensor"},
      {"[0]", "[0,0]", "16 bytes after the last tensor"},
  };
  for (const auto& [shape, offsets, words] : cases)
    EXPECT_TRUE(refused(words, one(shape, offsets)));
  std::string many = "[1";
  for (int i = 0; i < 1000; ++i) many += ",1";
  EXPECT_TRUE(refused("shape too large", one(many + "]", "[0,16]")));
}

TEST_F(Safetensors, RefusesGapsAndOverlaps) {
  const auto two = [](const std::string& first, const std::string& second,
                      const std::string& shape) {
    const std::string rest = ",\"dtype\":\"F32\",\"shape\":" + shape + "}";
    return safetensors("{\"a\":{\"data_offsets\":" + first + rest +
                           ",\"b\":{\"data_offsets\":" + second + rest + "}",
                       kData);
  };
  EXPECT_EQ(read(two("[0,8]", "[8,16]", "[2]")).size(), 2u);
  EXPECT_EQ(read(two("[8,16]", "[0,8]", "[2]")).size(), 2u);
  EXPECT_TRUE(refused("gap or overlap, expected to begin at 8", two("[0,8]", "[4,12]", "[2]")));
  EXPECT_TRUE(refused("gap or overlap", two("[0,16]", "[0,16]", "[4]")));
  EXPECT_TRUE(refused("gap or overlap, expected to begin at 4", two("[0,4]", "[12,16]", "[1]")));
}

// Tensors by the thousand over the same bytes: a small file that would ask for much memory.
TEST_F(Safetensors, RefusesManyTensorsOverTheSameBytes) {
  std::string header = "{";
  for (int i = 0; i < 20000; ++i) {
    header += (i > 0 ? ",\"w" : "\"w") + std::to_string(i) +
              "\":{\"dtype\":\"F32\",\"shape\":[200,200],\"data_offsets\":[0,160000]}";
  }
  EXPECT_TRUE(refused("gap or overlap", safetensors(header + "}", std::string(160000, '\0'))));
}

TEST_F(Safetensors, RefusesEveryTruncation) {
  const std::string whole = safetensors({{"a", at::ones({2, 2})}, {"b", at::ones({3}, at::kHalf)}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(refused("model.safetensors: ", whole.substr(0, size))) << "cut at " << size;
  }
}

TEST_F(Safetensors, SurvivesEveryChangedByte) {
  const std::string whole = safetensors({{"a", at::ones({2, 2})}, {"b", at::ones({3}, at::kHalf)}});
  const std::size_t data = whole.size() - 22;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < data; ++i) {
    for (int value = 0; value < 256; value += 5) {
      std::string changed = whole;
      changed[i] = static_cast<char>(value);
      try {
        for (const auto& [name, tensor] : read(changed)) tensor.clone();
      } catch (const InputError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, data * 10);
}

}  // namespace
}  // namespace simba::test
