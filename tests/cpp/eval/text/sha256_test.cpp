#include "eval/text/sha256.h"

#include <gtest/gtest.h>

#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::eval {
namespace {

using test::refuses;
using test::TemporaryFolder;

// FIPS 180-4's own examples.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, AFileIsHashedInPieces) {
  const TemporaryFolder folder;
  const std::string content(3 * (1 << 20) + 77, 'x');
  EXPECT_EQ(sha256_file(folder.write("big", content)), sha256(content));
  EXPECT_EQ(sha256_file(folder.write("empty", "")), sha256(""));
  EXPECT_TRUE(refuses("absent", [&] { sha256_file(folder / "absent"); }));
}

}  // namespace
}  // namespace simba::eval
