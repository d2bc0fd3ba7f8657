#include "eval/text/file_name.h"

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"
#include "csrc/tokenizer/utf8.h"

namespace simba::eval {

std::string file_name(const std::filesystem::path& path) {
  std::string name = path.filename().string();
  if (replace_invalid_utf8(name) != name) {
    throw InputError("results name files and folders: expected a name in UTF-8, got " +
                     quote(name));
  }
  return name;
}

}  // namespace simba::eval
