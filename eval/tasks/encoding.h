// From texts to the ids that a model reads, as lm-evaluation-harness does it (0.4.13).
//
// 1. The context's trailing white space moves to the continuation. With `tok` the tokenizer, the
//    continuation's ids are tok(context + continuation) without its first |tok(context)| ids, and
//    the model is fed tok(context) followed by those, even where tok(context) is no prefix of
//    tok(context + continuation) (api/model.py, _encode_pair).
// 2. An empty context is one document start; where the continuation begins with that id, its own
//    first token is the context (api/model.py, loglikelihood).
// 3. Of context and continuation the last max_length + 1 ids are kept; the final one is not fed
//    (models/huggingface.py, _loglikelihood_tokens).
#pragma once

#include <cstdint>
#include <vector>

#include "csrc/tokenizer/tokenizer.h"
#include "eval/tasks/requests.h"

namespace simba::eval {

struct EncodedRequest {
  std::vector<std::int64_t> context;       // at least one id
  std::vector<std::int64_t> continuation;  // at least one id
};

// Throws InputError where the context has text but no ids (white space alone), the continuation has
// no ids, or more than max_length.
EncodedRequest encode_request(const Tokenizer& tokenizer, const Request& request,
                              std::int64_t max_length);

}  // namespace simba::eval
