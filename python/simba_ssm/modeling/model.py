"""SimbaForCausalLM: Mamba-1 whose context is pruned layer by layer (arXiv 2505.20698).

Letters in shapes: B batch, L length, S sequences (B where unpacked), R tokens of all of them, D
d_inner, N d_state, V rows of the vocabulary. Tokens come as a batch (B, L) of equal lengths, or
packed end to end as (1, R) with ``cu_seqlens``: S + 1 bounds, an int32 tensor or integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simba_ssm.modeling import checkpoint
from simba_ssm.modeling.block import LayerState, SimbaBlock, Tokens, add_norm, make_norm
from simba_ssm.modeling.config import SimbaConfig
from simba_ssm.modeling.criteria import SsmInputs, select
from simba_ssm.modeling.generation import as_simba
from simba_ssm.modeling.initialise import initialise
from simba_ssm.modeling.packing import IGNORED, Packing, Split
from simba_ssm.modeling.pruning import Pruning
from simba_ssm.modeling.schedule import tokens_per_layer

Bounds = Tensor | Sequence[int]
Kept = Sequence[Tensor | None]
Retention = float | str | Sequence[float | str]


@dataclass(frozen=True)
class CausalLMOutput:
    loss: Tensor | None  # mean negative log-likelihood of the labels, in nats
    logits: Tensor  # float32 or wider


# So that torch.export can give it.
torch.export.register_dataclass(CausalLMOutput, serialized_type_name="simba_ssm.CausalLMOutput")


class SimbaBackbone(nn.Module):
    def __init__(self, config: SimbaConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(SimbaBlock(config) for _ in range(config.n_layer))
        self.norm_f = make_norm(config)


class SimbaForCausalLM(nn.Module):
    """A Mamba-1 language model; parameters have the names of the state-spaces checkpoints.

    Fresh parameters follow Mamba's own initialisation. Under torch.autocast the products, and with
    them what the operators read and write, have the autocast type; the states of the scan and
    (residual_in_fp32) the residual stream stay float32.

    Args:
        config: sizes and switches.
        pruning: the criterion, schedule and their options of every pruned pass; its retention is
            what ``prefill`` and ``generate`` take where none is given.
    """

    def __init__(self, config: SimbaConfig, pruning: Pruning | None = None) -> None:
        super().__init__()
        self.config = config
        self.pruning = pruning or Pruning()
        self.backbone = SimbaBackbone(config)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        initialise(self)
        self._complete()

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        *,
        dtype: torch.dtype | None = None,
        device: str | torch.device = "cpu",
        **pruning,
    ) -> SimbaForCausalLM:
        """A checkpoint folder, or a hub id that lies in the Hugging Face cache.

        Both layouts are read, of state-spaces and of Hugging Face, from safetensors or .bin files.
        Matrices come in dtype, None: as stored, vectors, convolutions and A in float32 or wider.
        ``pruning``: the fields of Pruning. Raises ValueError on anything wrong with the folder.
        """
        options, folder = Pruning(**pruning), checkpoint.find_folder(path)
        config, weights = checkpoint.read_config(folder), checkpoint.read_weights(folder)
        try:
            model = cls.from_weights(config, checkpoint.convert(weights, dtype), options)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from error
        return model.to(device).eval()

    @classmethod
    def from_weights(
        cls, config: SimbaConfig, weights: dict[str, Tensor], pruning: Pruning | None = None
    ) -> SimbaForCausalLM:
        """Over the memory of tensors under this class's names; parameters are taken as they are.

        Raises ValueError where a tensor is missing, or one too many, or of another shape.
        """
        with torch.device("meta"):
            model = cls(config, pruning)
        checkpoint.assign(model, weights)
        model._complete()
        return model

    def save_pretrained(self, folder: str | Path, *, layout: str = "huggingface") -> None:
        """Writes config.json and the weights in their own types.

        layout "huggingface": model.safetensors, which transformers' MambaForCausalLM.from_pretrained
        loads. "state-spaces": pytorch_model.bin, for mamba_ssm.
        """
        checkpoint.write(folder, self.config, self.state_dict(), layout)

    def _complete(self) -> None:
        if self.config.tie_embeddings:
            self.lm_head.weight = self.backbone.embedding.weight
        for layer in self.backbone.layers:
            # Mamba's own mark, which set-ups of optimisers look for.
            layer.mixer.A_log._no_weight_decay = layer.mixer.D._no_weight_decay = True

    def forward(
        self,
        input_ids: Tensor,
        labels: Tensor | None = None,
        retention: Retention | None = None,
        *,
        context: int | Sequence[int] | None = None,
        cu_seqlens: Bounds | None = None,
        kept: Kept | None = None,
    ) -> CausalLMOutput:
        """Logits, and the loss of the labels where they are given.

        Labels have the shape of input_ids and are usually input_ids themselves: the logits after
        token t are scored on label t + 1, -100 is ignored, and no sequence's first token is scored.

        Without retention every layer reads every token: logits (B, L, V).

        With retention, the first ``context`` tokens of every sequence are its context. Layer by layer
        it is pruned with respect to its own last token, so no scored token takes part in selection.
        What follows, the continuation, is read densely from the states that the context left, and
        only its labels count. Logits (B, 1 + L - context, V): after the last context token and after
        each of the continuation; packed, each sequence's are side by side: (1, S + R - contexts, V).
        Gradients reach the context in two ways: a layer's states depend on all tokens that entered
        the layer, and tokens kept carry theirs on from the layer below. Selection has no gradient.

        Args:
            input_ids: (B, L), or packed (1, R) with cu_seqlens.
            labels: as input_ids.
            retention: share of the context's tokens at the last layer, in (0, 1]; None: dense. For
                packed sequences also one share each.
            context: tokens of the context, at least 1; for packed sequences also one count each.
            cu_seqlens: bounds of packed sequences; a list spares a GPU the wait for its values.
            kept: kept tokens as in ``prefill``.
        """
        packing = Packing.of(input_ids, cu_seqlens)
        if retention is None:
            if context is not None or kept is not None:
                raise ValueError("retention: expected a number beside context or kept, got None")
            tokens, _ = self._read(input_ids, packing)
            logits = self._logits(tokens)
            targets = None if labels is None else packing.targets(labels)
        else:
            split = Split.of(input_ids, packing, context)
            head, tail = split.cut(input_ids)
            states, last = self._prefill(head, split.head, retention, kept)
            tokens, _ = self._read(tail, split.tail, states)
            logits = split.join(last, self._logits(tokens))
            targets = None if labels is None else split.targets(labels)
        return CausalLMOutput(None if targets is None else mean_nll(logits, targets), logits)

    def prefill(
        self,
        input_ids: Tensor,
        retention: Retention | None = None,
        *,
        cu_seqlens: Bounds | None = None,
        kept: Kept | None = None,
    ) -> tuple[list[LayerState], Tensor]:
        """Reads contexts, pruned layer by layer: their states, and the logits (S, V) after each.

        Args:
            input_ids: (B, L), or packed (1, R) with cu_seqlens; no context may be empty.
            retention: as in ``forward``; None takes that of ``pruning``.
            kept: instead of the criterion's choice: for each layer the indices, within what it
                reads, of the tokens that go on: (B, K), or flat (1, sum of K) where packed. Layers
                that drop nothing, and the last, need none.
        """
        packing = Packing.of(input_ids, cu_seqlens)
        retention = self.pruning.retention if retention is None else retention
        return self._prefill(input_ids, packing, retention, kept)

    def extend(
        self,
        states: Sequence[LayerState],
        input_ids: Tensor,
        *,
        cu_seqlens: Bounds | None = None,
    ) -> tuple[Tensor, list[LayerState]]:
        """Reads more tokens of the same S sequences densely; ``states`` are left as they are.

        Returns the logits after every token, (B, L, V), and the states after the last.
        """
        if len(states) != (layers := self.config.n_layer):
            raise ValueError(f"states: expected one of each of {layers} layers, got {len(states)}")
        tokens, after = self._read(input_ids, Packing.of(input_ids, cu_seqlens), states)
        return self._logits(tokens), after

    def generate(self, ids: Tensor | Sequence[Sequence[int]], **options) -> list[list[int]]:
        """New tokens after pruned contexts, decoded densely by the C++ model on the same weights.

        Contexts come as (S, L) or as S lists of any lengths. Options and results are those of
        ``simba_ssm.Simba.generate``: max_new_tokens, temperature, top_k, top_p, seed, stop_ids,
        on_tokens, ...; pruning is this model's own.
        """
        return as_simba(self).generate(ids, **options)

    def stream(self, ids: Tensor | Sequence[Sequence[int]], **options) -> Iterator[list[int]]:
        """The steps of ``generate`` as they come: S ids each, -1 for sequences that have ended."""
        return as_simba(self).stream(ids, **options)

    def _prefill(
        self, ids: Tensor, packing: Packing, retention: Retention, kept: Kept | None
    ) -> tuple[list[LayerState], Tensor]:
        packing = packing.on_host(ids.shape[1])
        lengths = [ids.shape[1]] if packing.lengths is None else packing.lengths
        if any(length < 1 for length in lengths):
            raise ValueError("input_ids: expected contexts of at least 1 token, got an empty one")
        n_layer, schedule = self.config.n_layer, self.pruning.schedule
        one = isinstance(retention, (Real, str))
        retentions = [retention] * len(lengths) if one else list(retention)
        if len(retentions) != len(lengths):
            raise ValueError(
                f"retention: expected one number, or {len(lengths)}, got {len(retentions)}"
            )
        # What goes on from each layer; from the last, the token that is read.
        each = [
            tokens_per_layer(n, n_layer, r, schedule)[1:] + [1]
            for n, r in zip(lengths, retentions, strict=True)
        ]
        if packing.lengths is None:
            keep = each[0]
        else:
            keep = Packing.packed(*zip(*each, strict=True), device=ids.device)
        tokens, states = self._read(ids, packing, keep=keep, kept=kept)
        return states, self._logits(tokens).flatten(0, 1)

    def _read(
        self,
        ids: Tensor,
        packing: Packing,
        states: Sequence[LayerState] | None = None,
        keep: Sequence[int | Packing] | None = None,
        kept: Kept | None = None,
    ) -> tuple[Tokens, list[LayerState]]:
        """The tokens through all layers, ``keep`` of them going on from each (None: all)."""
        after = []
        tokens = Tokens(self.backbone.embedding(ids), None, None, packing)
        for number, layer in enumerate(self.backbone.layers):
            state = LayerState(None, None) if states is None else states[number]
            ssm, residual, conv = layer.project(tokens, state.conv)
            if keep is None:
                rows, packing = None, ssm.packing
            else:
                rows, packing = self._select(ssm, number, keep[number], kept)
            # By the plan: a short context's rounding must not depend on what is dropped beside it.
            gated = keep is None
            y, last_state = layer.scan(ssm, state.ssm, gated)
            tokens = layer.emit(y, ssm, residual, rows, packing, gated)
            after.append(LayerState(last_state, conv))
        return tokens, after

    def _select(
        self, ssm: SsmInputs, layer: int, keep: int | Packing, kept: Kept | None
    ) -> tuple[Tensor | None, Packing]:
        """The rows that go on from a layer (None: all), and their packing."""
        if isinstance(keep, Packing):
            after, present, counts = keep, ssm.packing.lengths, keep.lengths
            expected = (1, sum(counts))
        else:
            after, present, counts = ssm.packing, ssm.u.shape[1], keep
            expected = (ssm.u.shape[0], keep)
        if counts == present:
            return None, after
        if layer + 1 == self.config.n_layer:
            return ssm.packing.last_rows(ssm.u), after
        if kept is None:
            return select(ssm, counts, layer, self.pruning), after
        rows = kept[layer] if layer < len(kept) else None
        if rows is None or rows.shape != expected:
            got = None if rows is None else tuple(rows.shape)
            raise ValueError(f"kept: layer {layer}: expected indices {expected}, got {got}")
        return rows, after

    def _logits(self, tokens: Tokens) -> Tensor:
        normed, _ = add_norm(self.backbone.norm_f, tokens, self.config)
        logits = self.lm_head(normed)
        return logits if logits.dtype == torch.float64 else logits.float()


def mean_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean negative log-likelihood of the targets that are not ignored, in nats."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten().long(), ignore_index=IGNORED)
