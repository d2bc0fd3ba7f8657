"""Simba: token pruning for pretrained Mamba (arXiv 2505.20698).

Importing the package loads the torch operators (``torch.ops.simba``) alone: one file runs on every
torch from 2.11 on. The compiled C++ model, tied to one torch and one Python, is loaded when
``Simba`` is first used, or a module generates.

``Simba`` is the C++ model, ``modeling.SimbaForCausalLM`` the same as a module that trains, compiles
and exports, ``sparsify`` makes one of transformers' Mamba. ``ops`` holds typed functions over the
operators, ``reference`` their definition in plain PyTorch, ``drop_in`` mamba_ssm's functions.
"""

from simba_ssm._library import load_ops_library
from simba_ssm._vector_math import settle_vector_math

load_ops_library()
settle_vector_math()

# After the library: ops registers what Python adds to its operators.
from simba_ssm import modeling, ops, reference  # noqa: E402
from simba_ssm.modeling import sparsify  # noqa: E402
from simba_ssm.pretrained import Simba  # noqa: E402

__all__ = ["Simba", "modeling", "ops", "reference", "sparsify"]
