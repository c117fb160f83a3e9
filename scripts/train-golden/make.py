#!/usr/bin/env python3
"""Writes train/testdata: what PyTorch, transformers, PEFT and lion-pytorch compute.

    pip install -r requirements.txt
    python make.py DIR

optimizers.json  a matrix, a vector and a pair of LoRA matrices after each of 6 steps of several optimisers, from the same
                 values and gradients; and the average of the first one's weights
schedules.json   learning rates of every step of transformers' schedules, peak 1, all with and without warm-up
losses.json      gradients of F.cross_entropy with label smoothing and of a penalty on log Z
"""
import json, math, sys

import torch
from lion_pytorch import Lion
from peft.optimizers import create_loraplus_optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import get_scheduler
from transformers.optimization import Adafactor

out, steps = sys.argv[1], 6
torch.manual_seed(1)
shapes = {"matrix": (3, 5), "vector": (7,), "x.lora_A.w": (2, 4), "x.lora_B.w": (4, 2)}
start = {n: torch.randn(s) for n, s in shapes.items()}
grads = [{n: torch.randn(s) * 10 ** torch.empty(s).uniform_(-3, 1) for n, s in shapes.items()} for _ in range(steps)]


class Holder(torch.nn.Module):
    """Parameters with the names of a PEFT model's."""

    def __init__(self):
        super().__init__()
        self.names = {n: n.replace(".", "_") for n in shapes}
        for n, key in self.names.items():
            self.register_parameter(key, torch.nn.Parameter(start[n].clone()))

    def get(self, n):
        return getattr(self, self.names[n])


def flat(t):
    return [float(x) for x in t.detach().flatten()]


def run(make, average=None):
    m = Holder()
    opt = make(m)
    averaged = AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(average)) if average else None
    rows = []
    for g in grads:
        for n in shapes:
            m.get(n).grad = g[n].clone()
        opt.step()
        if averaged:
            averaged.update_parameters(m)
        source = averaged.module if averaged else m
        rows.append({n: flat(source.get(n)) for n in shapes})
    return rows


P = lambda m: list(m.parameters())
results = {
    "adamw": run(lambda m: torch.optim.AdamW(P(m), lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)),
    "lion": run(lambda m: Lion(P(m), lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1)),
    "sgd": run(lambda m: torch.optim.SGD(P(m), lr=1e-2, momentum=0.9, weight_decay=0.1)),
    "adafactor": run(lambda m: Adafactor(P(m), lr=1e-2, scale_parameter=False, relative_step=False, weight_decay=0.1)),
    "loraplus": run(lambda m: create_loraplus_optimizer(m, torch.optim.AdamW, lr=1e-2, loraplus_lr_ratio=16, loraplus_weight_decay=0.1, eps=1e-8)),
    "ema": run(lambda m: torch.optim.AdamW(P(m), lr=1e-2, eps=1e-8, weight_decay=0.1), average=0.7),
}
json.dump({"start": {n: flat(t) for n, t in start.items()}, "gradients": [{n: flat(t) for n, t in g.items()} for g in grads], "after": results},
          open(out + "/optimizers.json", "w"))


def schedule(name, warm, total, **more):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    s = get_scheduler(name, opt, num_warmup_steps=warm, num_training_steps=total, scheduler_specific_kwargs=more)
    rates = []
    for _ in range(total):
        rates.append(s.get_last_lr()[0])
        opt.step()
        s.step()
    return {"warmup": warm, "rates": rates}


total = 60
json.dump({
    "constant": [schedule("constant_with_warmup", w, total) for w in (0, 12)],
    "linear": [schedule("linear", w, total) for w in (0, 12)],
    "cosine": [schedule("cosine", w, total) for w in (0, 12)],
    "cosine-restarts": [schedule("cosine_with_restarts", w, total, num_cycles=3) for w in (0, 12)],
    "wsd": [schedule("warmup_stable_decay", w, total, num_decay_steps=15) for w in (0, 12)],
    "inverse-sqrt": [schedule("inverse_sqrt", w, total) for w in (0, 12)],
}, open(out + "/schedules.json", "w"))

cases = []
for smoothing, penalty in ((0, 0), (0.1, 0), (0, 0.01), (0.2, 0.05)):
    logits = (torch.randn(4, 11, dtype=torch.float64) * 3).float().double().requires_grad_()
    targets = torch.randint(0, 11, (4,))
    objective = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")
    objective = objective + penalty * (torch.logsumexp(logits, -1) ** 2).sum()
    objective.backward()
    plain = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    cases.append({"smoothing": smoothing, "penalty": penalty, "logits": flat(logits), "targets": targets.tolist(),
                  "loss": flat(plain), "gradient": flat(logits.grad)})
json.dump(cases, open(out + "/losses.json", "w"))
