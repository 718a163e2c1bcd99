"""The arithmetic that a job asks for: FLOP per token by what is trained, on what, and with how much attention."""

from __future__ import annotations

import numpy as np

from planner.performance import flops
from planner.performance.attention import attended_tokens
from planner.performance.symbols import Architecture, Array, Job


def model_flop_per_token(arch: Architecture, job: Job) -> Array:
    """Model FLOP of a token of a job, causal attention counted half.

    A frozen base has no weight gradients; packed documents attend to themselves; multi-token-prediction modules count
    where they are trained.
    """
    tokens = attended_tokens(job)
    full, frozen = flops.causal_attention(arch, tokens), flops.lora_causal_attention(arch, tokens)
    more = job.trains_mtp * flops.multi_token_prediction_flops_per_token(arch, tokens)
    return np.where(job.trains_base > 0, full, frozen) + more
