#!/usr/bin/env python3
"""Compares graft with transformers and PEFT on a real model.

    pip install -r requirements.txt
    python check.py MODEL DATA.jsonl [--steps 50]

MODEL is a directory such as SmolLM2-135M's, DATA.jsonl has question and answer. In float32:
 1. greedy continuations of 5 prompts over 32 tokens, or to the end of text, are the same, token for token; a difference is excused where the
    reference's two best logits are within 1e-3;
 2. graft trains a LoRA adapter on DATA, batch 1, and the loss falls;
 3. PEFT opens the adapter and its logits are graft's within 1e-3;
 4. transformers opens graft's merged checkpoint, and its logits are those of PEFT's own merge.
Exits with 1 when one of these does not hold. Needs go on the PATH.
"""
import argparse, json, os, re, shutil, subprocess, sys, tempfile

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

PROMPTS = ["The capital of France is", "def fibonacci(n):\n", "Once upon a time there was a small dragon who",
           "Q: What is 12 times 3?\nA:", "Water boils at a temperature of"]
p = argparse.ArgumentParser()
p.add_argument("model")
p.add_argument("data")
p.add_argument("--steps", type=int, default=50)
a = p.parse_args()
os.environ["GRAFT_DEVICE"] = "cpu:float32"
here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(os.path.dirname(here))
model, data = os.path.abspath(a.model), os.path.abspath(a.data)
tmp = tempfile.mkdtemp()
for name in ("./cmd/graft", "./scripts/peft-check"):
    subprocess.run(["go", "build", "-o", tmp + "/", name], cwd=root, check=True)
faults = []


def ours(tokens, greedy=0, adapter=None, base=model):
    out = subprocess.run([tmp + "/peft-check", base] + ([adapter] if adapter else []), input=json.dumps(dict(tokens=tokens, greedy=greedy)),
                         capture_output=True, text=True)
    if out.returncode:
        sys.exit(out.stderr)
    return json.loads(out.stdout)


def last_logits(m, tokens):
    with torch.no_grad():
        return [m(input_ids=torch.tensor([t])).logits[0, -1] for t in tokens]


def worst(got, want):
    return max((torch.tensor(g) - w).abs().max().item() for g, w in zip(got, want))


def verdict(ok, text):
    print(("ok    " if ok else "FAIL  ") + text, flush=True)
    if not ok:
        faults.append(text)


tok = PreTrainedTokenizerFast(tokenizer_file=model + "/tokenizer.json")
prompts = [tok(t)["input_ids"] for t in PROMPTS]
base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
mine = ours(prompts, greedy=32)
verdict(worst(mine["logits"], last_logits(base, prompts)) < 1e-3, f"base logits within {worst(mine['logits'], last_logits(base, prompts)):.2e}")
for text, ids, got in zip(PROMPTS, prompts, mine["greedy"]):
    with torch.no_grad():
        seq = base.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), max_new_tokens=32, do_sample=False, pad_token_id=0)
    want = [t for t in seq[0, len(ids):].tolist() if t != base.generation_config.eos_token_id]
    if got != want:
        i = next((i for i, (x, y) in enumerate(zip(got, want)) if x != y), min(len(got), len(want)))
        top = torch.topk(last_logits(base, [ids + want[:i]])[0], 2).values
        verdict((top[0] - top[1]).item() < 1e-3, f"{text!r}: token {i} differs, the best two are {(top[0] - top[1]).item():.1e} apart")
    else:
        verdict(True, f"{text!r}: {len(want)} tokens equal: {tok.decode(want)[:60]!r}")

adapter, merged = tmp + "/adapter", tmp + "/merged"
run = subprocess.run([tmp + "/graft", "train", "--model", model, "--data", data, "--out", adapter, "--steps", str(a.steps), "--batch", "1",
                      "--no-recompute", "--max-len", "512"], capture_output=True, text=True)
print(run.stderr[-400:] if run.returncode else run.stdout.strip(), flush=True)
losses = [float(x) for x in re.findall(r"loss (\d+\.\d+)", run.stderr)]
fifth = max(1, len(losses) // 5)
first, last = sum(losses[:fifth]) / fifth, sum(losses[-fifth:]) / fifth
verdict(run.returncode == 0 and len(losses) == a.steps and last < first, f"{len(losses)} steps: mean loss of the first fifth {first:.4f}, of the last {last:.4f}")

tuned = PeftModel.from_pretrained(base, adapter).float().eval()
want = last_logits(tuned, prompts)
d = worst(ours(prompts, adapter=adapter)["logits"], want)
moved = worst([x.tolist() for x in want], [torch.tensor(x) for x in mine["logits"]])
verdict(d < 1e-3 < moved, f"PEFT opens the adapter: logits within {d:.2e} (the adapter moved them by {moved:.2f})")
subprocess.run([tmp + "/graft", "merge", "--model", model, "--adapter", adapter, "--out", merged], check=True)
del base
whole = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)
theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), adapter).merge_and_unload().to(whole.dtype)
state = {k: v.bfloat16().float() for k, v in theirs.state_dict().items()}
same = all(torch.equal(state[k], v) or (state[k] - v).abs().max() <= 0.01 * v.abs().max() for k, v in whole.state_dict().items())
share = sum((state[k] == v).sum().item() for k, v in whole.state_dict().items()) / sum(v.numel() for v in whole.state_dict().values())
verdict(same and share > 0.999, f"the merged checkpoint is PEFT's merge rounded to bfloat16: {share:.6f} of the weights are equal, the others a rounding apart")
shutil.rmtree(tmp)
sys.exit(1 if faults else 0)
