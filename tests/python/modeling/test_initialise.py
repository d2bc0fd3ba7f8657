"""Fresh parameters: Mamba's own distributions."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from simba_ssm.modeling import SimbaConfig, SimbaForCausalLM


def test_distributions():
    torch.manual_seed(0)
    model = SimbaForCausalLM(SimbaConfig(d_model=256, n_layer=4, vocab_size=1000, d_state=8))
    mixer = model.backbone.layers[2].mixer
    states = torch.arange(1, 9).float().expand(512, 8)
    torch.testing.assert_close(mixer.A_log.exp(), states)
    assert torch.equal(mixer.D, torch.ones(512))

    dt = F.softplus(mixer.dt_proj.bias.detach())
    assert dt.min() >= 0.999e-3 and dt.max() <= 0.1001
    log_dt = dt.log()
    middle, width = math.log(1e-2), math.log(100)
    assert abs(log_dt.mean() - middle) < 4 * width / math.sqrt(12 * 512)
    assert dt.min() < 1.1e-3 and dt.max() > 0.09

    assert abs(model.lm_head.weight.std() - 0.02) < 1e-3
    bound = 1 / math.sqrt(256)
    assert 0.99 * bound < mixer.in_proj.weight.abs().max() <= bound
    bound = 1 / math.sqrt(512) / math.sqrt(4)
    assert 0.99 * bound < mixer.out_proj.weight.abs().max() <= bound
    bound = 16**-0.5
    assert 0.99 * bound < mixer.dt_proj.weight.abs().max() <= bound
    assert torch.equal(model.backbone.norm_f.weight, torch.ones(256))


def test_the_seed_decides():
    config = SimbaConfig(d_model=16, n_layer=2, vocab_size=10, tie_embeddings=False)
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append(torch.cat([p.flatten() for p in SimbaForCausalLM(config).parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert weights[0].isfinite().all()
