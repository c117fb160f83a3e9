#!/usr/bin/env python3
"""Writes adamw8.safetensors: parameters and moments after steps of bitsandbytes' AdamW8bit on a CPU.

    pip install torch==2.15.0 bitsandbytes==0.50.2 safetensors==0.8.0
    python make.py

Parameters and gradients are numbers that a test makes again: number(i, seed) below. NAME.STEP is a parameter after a step,
NAME.STEP.codes1|codes2 and absmax1|absmax2 its moments. The small parameter is below min_8bit_size, so its moments are float32.
"""
import os
import torch, bitsandbytes as bnb
from safetensors.torch import save_file

SIZES = {"wide": (37, 130), "small": (5, 7)}
STEPS, KEPT = 6, (1, 6)


def numbers(n, seed):
    """Of both signs, over eleven octaves, exact in float32."""
    i = torch.arange(n)
    x = ((i * 2654435761 + seed * 362437) & 0xFFFFFFFF) >> 8
    return (x.float() / (1 << 24) - 0.5) * 2.0 ** -(i % 11)


params = {name: torch.nn.Parameter(numbers(r * c, 100 + r).reshape(r, c)) for name, (r, c) in SIZES.items()}
opt = bnb.optim.AdamW8bit(params.values(), lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
out = {}
for step in range(1, STEPS + 1):
    for p in params.values():
        p.grad = numbers(p.numel(), step).reshape(p.shape)
    opt.step()
    for name, p in params.items():
        if step in KEPT:
            out[f"{name}.{step}"] = p.detach().clone()
            if opt.state[p]["state1"].dtype == torch.uint8:
                for k in "12":
                    out[f"{name}.{step}.codes{k}"] = opt.state[p]["state" + k].flatten().clone()
                    out[f"{name}.{step}.absmax{k}"] = opt.state[p]["absmax" + k].clone()
save_file(out, os.path.join(os.path.dirname(os.path.abspath(__file__)), "adamw8.safetensors"))
