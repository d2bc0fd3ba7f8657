#include "eval/tasks/encoded_task.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <string>
#include <utility>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"
#include "eval/run/interrupt.h"

namespace simba::eval {
namespace {

void check_ids(const std::vector<std::int64_t>& ids, const Tokenizer& tokenizer,
               std::int64_t vocab_size) {
  for (const std::int64_t id : ids) {
    if (id < vocab_size) continue;
    throw InputError("the tokenizer does not fit the model: id " + std::to_string(id) + " (" +
                     quote(tokenizer.piece(id)) + "), expected ids below the model's " +
                     std::to_string(vocab_size) + " rows");
  }
}

std::vector<EncodedRequest> encode_requests(const std::vector<Request>& requests,
                                            const Tokenizer& tokenizer, std::int64_t vocab_size,
                                            std::int64_t max_length) {
  std::vector<EncodedRequest> encoded;
  for (const Request& request : requests) {
    encoded.push_back(encode_request(tokenizer, request, max_length));
    check_ids(encoded.back().context, tokenizer, vocab_size);
    check_ids(encoded.back().continuation, tokenizer, vocab_size);
  }
  return encoded;
}

}  // namespace

EncodedTask encode_task(TaskPrompts prompts, const Tokenizer& tokenizer, std::int64_t vocab_size,
                        std::int64_t max_length) {
  const std::size_t count = prompts.requests.size();
  std::vector<std::vector<EncodedRequest>> encoded(count);
  std::vector<std::string> errors(count);
  at::parallel_for(
      0, static_cast<std::int64_t>(count), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto d = static_cast<std::size_t>(begin); d < static_cast<std::size_t>(end); ++d) {
          try {
            encoded[d] = encode_requests(prompts.requests[d], tokenizer, vocab_size, max_length);
          } catch (const InputError& error) {
            errors[d] = prompts.examples[d].where + ": " + error.what();
          }
        }
      });
  check_interrupt();
  // The first in the file, whichever thread came first.
  const auto wrong = std::find_if(errors.begin(), errors.end(),
                                  [](const std::string& error) { return !error.empty(); });
  if (wrong != errors.end()) throw InputError(*wrong);
  prompts.requests.clear();
  return {std::move(prompts), max_length, group_by_context(encoded)};
}

}  // namespace simba::eval
