#include "eval/arguments/tokenize_options.h"

#include <CLI/CLI.hpp>

namespace simba::eval {

void add_tokenize_options(CLI::App& command, TokenizeOptions& options) {
  command.add_option("--tokenizer", options.tokenizer, "tokenizer file, or a folder with one")
      ->required();
  command.add_flag("--decode", options.decode, "read ids, write text");
  command.add_flag("--lines", options.lines, "each line by itself instead of the whole input");
  command.add_flag("--document-start", options.document_start,
                   "put the document start first (with --decode: take it away)");
  command.add_option("file", options.file, "input (default: standard input)");
}

}  // namespace simba::eval
