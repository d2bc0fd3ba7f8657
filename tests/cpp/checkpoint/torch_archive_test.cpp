#include "csrc/checkpoint/torch_archive.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/cpp/checkpoint/byte_writers.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {
namespace {

class TorchArchive : public testing::Test {
 protected:
  NamedTensors read(const std::string& bytes) {
    return read_torch_archive(folder_.write("model.bin", bytes));
  }
  testing::AssertionResult refused(const std::string& words, const std::string& bytes) {
    return refuses(words, [&] { read(bytes); });
  }

  TemporaryFolder folder_;
};

NamedTensors some_tensors() {
  return {{"a", at::arange(6, at::kFloat).reshape({2, 3})},
          {"b", at::arange(5, at::kBFloat16)},
          {"c", at::arange(3, at::kLong)},
          {"d", at::arange(4, at::kDouble)},
          {"e", at::arange(7, at::kHalf)}};
}

// Entries of an archive with one float32 tensor 'a' of 4 elements.
std::vector<ZipEntry> one_tensor() {
  const std::string tensor = pickled::tensor(pickled::storage("FloatStorage", "0", 4), 0, {4}, {1});
  return {
      {.name = "m/data.pkl", .data = pickled::stream(pickled::dict({pickled::text("a"), tensor}))},
      {.name = "m/data/0", .data = bytes_of(at::ones({4}))}};
}

TEST_F(TorchArchive, ReadsEveryType) {
  const NamedTensors tensors = read(torch_archive(some_tensors()));
  ASSERT_EQ(tensors.size(), some_tensors().size());
  for (const auto& [name, expected] : some_tensors()) {
    EXPECT_EQ(tensors.at(name).scalar_type(), expected.scalar_type());
    EXPECT_TRUE(tensors.at(name).equal(expected)) << name;
  }
}

TEST_F(TorchArchive, MapsInsteadOfCopying) {
  const NamedTensors tensors = read(torch_archive({{"a", at::arange(6, at::kFloat)}}));
  EXPECT_FALSE(tensors.at("a").storage().resizable());  // memory that ATen does not own
  tensors.at("a").fill_(7);                             // goes to a private page, not to the file
  EXPECT_TRUE(read_torch_archive(folder_ / "model.bin").at("a").equal(at::arange(6, at::kFloat)));
}

TEST_F(TorchArchive, TensorsOutliveTheFile) {
  NamedTensors tensors = read(torch_archive(some_tensors()));
  std::filesystem::remove(folder_ / "model.bin");
  EXPECT_TRUE(tensors.at("a").equal(some_tensors().at("a")));
}

TEST_F(TorchArchive, ReadsZip64) {
  EXPECT_TRUE(read(zip_archive(one_tensor(), true)).at("a").equal(at::ones({4})));
}

TEST_F(TorchArchive, CopiesUnalignedStorages) {
  std::vector<ZipEntry> entries = one_tensor();
  entries[1].misaligned = 1;
  const NamedTensors tensors = read(zip_archive(entries));
  EXPECT_TRUE(tensors.at("a").equal(at::ones({4})));
  EXPECT_TRUE(tensors.at("a").storage().resizable());
}

TEST_F(TorchArchive, SharesStorages) {
  const std::string storage = pickled::storage("FloatStorage", "0", 4);
  std::vector<ZipEntry> entries = one_tensor();
  entries[0].data =
      pickled::stream(pickled::dict({pickled::text("a"), pickled::tensor(storage, 0, {4}, {1}),
                                     pickled::text("b"), pickled::tensor(storage, 2, {2}, {1})}));
  const NamedTensors tensors = read(zip_archive(entries));
  EXPECT_EQ(tensors.at("a").const_data_ptr<float>() + 2, tensors.at("b").const_data_ptr<float>());
}

TEST_F(TorchArchive, RefusesOtherFiles) {
  EXPECT_TRUE(refuses("cannot be opened", [&] { read_torch_archive(folder_ / "none.bin"); }));
  EXPECT_TRUE(refuses("expected a regular file", [&] { read_torch_archive(folder_.path()); }));
  EXPECT_TRUE(refused("is empty", ""));
  EXPECT_TRUE(refused("begins with 'hello'", "hello"));
  EXPECT_TRUE(
      refused("save it again with torch.save, or convert it to safetensors",
              "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."));
  EXPECT_TRUE(refused("no data.pkl", zip_archive({{.name = "a.txt", .data = "a"}})));
  EXPECT_TRUE(refused("no data.pkl", zip_archive({{.name = "data.pkl", .data = "}."}})));
}

TEST_F(TorchArchive, RefusesBadEntries) {
  const auto with = [](auto change) {
    std::vector<ZipEntry> entries = one_tensor();
    change(entries);
    return zip_archive(entries);
  };
  EXPECT_TRUE(
      refused("'m/data/0' is compressed (method 8)", with([](auto& e) { e[1].method = 8; })));
  EXPECT_TRUE(refused("'m/data.pkl' is compressed", with([](auto& e) { e[0].method = 8; })));
  EXPECT_TRUE(refused("is encrypted", with([](auto& e) { e[1].flags = 1; })));
  EXPECT_TRUE(refused("occurs twice", with([](auto& e) { e.push_back(e[1]); })));
  EXPECT_TRUE(refused("has two names", with([](auto& e) { e[1].local_name = "m/data/1"; })));
  EXPECT_TRUE(refused("lies outside the file", with([](auto& e) { e[1].claimed = 1 << 20; })));
  EXPECT_TRUE(
      refused("several", with([](auto& e) { e.push_back({.name = "n/data.pkl", .data = ""}); })));
  EXPECT_TRUE(refused("no record of storage '0'", with([](auto& e) { e.pop_back(); })));
  EXPECT_TRUE(refused("got a record of 15 bytes", with([](auto& e) { e[1].data.pop_back(); })));
  EXPECT_TRUE(refused("got a record of 20 bytes", with([](auto& e) { e[1].data += "four"; })));
  EXPECT_TRUE(refused("expected little-endian tensors, got byte order 'big'",
                      with([](auto& e) { e.push_back({.name = "m/byteorder", .data = "big"}); })));
}

TEST_F(TorchArchive, RefusesStoragesOfImpossibleSize) {
  for (const std::int64_t elements :
       {std::int64_t{-1}, std::int64_t{1} << 61, std::int64_t{1} << 62}) {
    std::vector<ZipEntry> entries = one_tensor();
    const std::string storage = pickled::storage("FloatStorage", "0", elements);
    entries[0].data =
        pickled::stream(pickled::dict({pickled::text("a"), pickled::tensor(storage, 0, {4}, {1})}));
    EXPECT_TRUE(
        refused("expected " + std::to_string(elements) + " elements", zip_archive(entries)));
  }
}

TEST_F(TorchArchive, RefusesEveryTruncation) {
  for (const bool zip64 : {false, true}) {
    const std::string whole = zip_archive(one_tensor(), zip64);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_TRUE(refused("model.bin: ", whole.substr(0, size))) << "cut at " << size;
    }
  }
}

TEST_F(TorchArchive, SurvivesEveryChangedByte) {
  for (const bool zip64 : {false, true}) {
    const std::string whole = zip_archive(one_tensor(), zip64);
    std::size_t refused = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const int change : {0x01, 0x80, 0xff}) {
        std::string changed = whole;
        changed[i] = static_cast<char>(changed[i] ^ change);
        try {
          for (const auto& [name, tensor] : read(changed)) tensor.clone();
        } catch (const InputError&) {
          ++refused;
        }
      }
    }
    EXPECT_GT(refused, whole.size());
  }
}

}  // namespace
}  // namespace simba::test
