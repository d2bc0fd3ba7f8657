"""A Mamba-1 that prunes its context and trains: a plain ``nn.Module`` on the operators.

The same weights and numbers as the C++ model (``simba_ssm.Simba``), which it decodes with.
"""

from simba_ssm.modeling.block import LayerState
from simba_ssm.modeling.config import SimbaConfig
from simba_ssm.modeling.hugging_face import sparsify
from simba_ssm.modeling.model import CausalLMOutput, SimbaForCausalLM
from simba_ssm.modeling.pruning import Pruning

__all__ = [
    "CausalLMOutput",
    "LayerState",
    "Pruning",
    "SimbaConfig",
    "SimbaForCausalLM",
    "sparsify",
]
