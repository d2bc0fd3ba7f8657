"""mamba_ssm's and causal_conv1d's functions on our operators: a user changes one import.

    from simba_ssm.drop_in import causal_conv1d_fn, causal_conv1d_update
    from simba_ssm.drop_in import selective_scan_fn, selective_state_update

Arguments, defaults, shapes and results are theirs (mamba_ssm 2.3, causal_conv1d 1.7). Ours also run
on CPUs, in float64, at any length and width, under torch.compile, and give the last state a gradient.
What they take and we do not raises NotImplementedError.

**Layout.** Their sequences are (batch, dim, length), our operators' (batch, length, dim). A tensor
that is contiguous along its length is copied on the way in, and its result on the way out; one whose
channels are contiguous (``x.transpose(1, 2)`` of a (batch, length, dim)) is not, and the result is
laid out alike. New code had better call :mod:`simba_ssm.ops`; benchmarks/drop_in.py shows the cost.
"""

from simba_ssm.drop_in.causal_conv1d import causal_conv1d_fn, causal_conv1d_update
from simba_ssm.drop_in.selective_scan import selective_scan_fn
from simba_ssm.drop_in.state_update import selective_state_update

__all__ = ["causal_conv1d_fn", "causal_conv1d_update", "selective_scan_fn", "selective_state_update"]
