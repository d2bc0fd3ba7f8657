"""torch's elementary functions on a CPU, the same in every process."""

from __future__ import annotations

import torch

# Those that the package calls.
_FUNCTIONS = (torch.exp, torch.expm1, torch.log, torch.sqrt)


def settle_vector_math() -> None:
    """Makes the first call of each from one thread.

    MKL, which computes them, chooses a function's kernel at its first call. Where several threads make
    that call together, as for a tensor of some thousand numbers, one of them may be given a kernel of
    low accuracy for its part: e^x 4e-5 off, in one process of a hundred to a thousand (MKL 2024.2,
    pytorch/pytorch#188792). ``A = -exp(A_log)`` would be such a call.
    """
    for dtype in (torch.float32, torch.float64):
        one = torch.ones(1, dtype=dtype, device="cpu")
        for function in _FUNCTIONS:
            function(one)
