// config.json of a GPT-NeoX checkpoint (Pythia) to a GptNeoXConfig.
#pragma once

#include <string>

#include "csrc/model/gpt_neox/config.h"

namespace simba {

// Reads the keys of Hugging Face's GPTNeoXConfig: sizes must be there, what else is left out has
// the default it has there. The rotary base and share come as rotary_emb_base and rotary_pct, as
// rope_theta and partial_rotary_factor, or inside rope_parameters. Throws InputError naming the
// key, what was expected and what came; also where two spellings disagree, on scaled rotary
// positions and on an activation other than GELU.
GptNeoXConfig read_gpt_neox_config(const std::string& path);

}  // namespace simba
