#!/usr/bin/env python3
"""Exchanges checkpoints in 4 and 8 bits with transformers and bitsandbytes.

    pip install -r requirements.txt
    python check.py MODEL

MODEL is a dense checkpoint such as SmolLM2-135M's. In NF4 and in int8, in float32 arithmetic on the CPU:
 1. what graft quantizes opens in transformers + bitsandbytes and gives the logits that graft gives, within 1e-3;
 2. what transformers + bitsandbytes quantize and save opens in graft, with the same logits within 1e-3;
 3. both files hold the same bytes, tensor for tensor.
Exits with 1 when one of these does not hold. Needs go on the PATH.
"""
import json, os, shutil, subprocess, sys, tempfile

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedTokenizerFast

model = os.path.abspath(sys.argv[1])
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["GRAFT_DEVICE"] = "cpu:float32"
tmp = tempfile.mkdtemp()
for name in ("./cmd/graft", "./scripts/peft-check"):
    subprocess.run(["go", "build", "-o", tmp + "/", name], cwd=root, check=True)
tok = PreTrainedTokenizerFast(tokenizer_file=model + "/tokenizer.json")
prompts = [tok(t)["input_ids"] for t in ("The capital of France is", "def fibonacci(n):\n", "Once upon a time there was a small dragon who")]
faults = []


def verdict(ok, text):
    print(("ok    " if ok else "FAIL  ") + text, flush=True)
    if not ok:
        faults.append(text)


def plain(m):
    """bitsandbytes' own layers in float32, without its bfloat16 kernel."""
    for mod in m.modules():
        if hasattr(mod, "support_avx512bf16_for_cpu"):
            mod.support_avx512bf16_for_cpu = False
        if hasattr(mod, "compute_dtype"):
            mod.compute_dtype, mod.compute_type_is_set = torch.float32, True
    for q in m.parameters():  # norms and embedding, which transformers leaves in bfloat16
        if q.is_floating_point():
            q.data = q.data.float()
    return m.eval()


def theirs(m):
    with torch.no_grad():
        return [m(input_ids=torch.tensor([p])).logits[0, -1].float() for p in prompts]


def ours(base):
    out = subprocess.run([tmp + "/peft-check", base], input=json.dumps(dict(tokens=prompts, greedy=0)), capture_output=True, text=True, check=True)
    return [torch.tensor(x) for x in json.loads(out.stdout)["logits"]]


def worst(a, b):
    return max((x - y).abs().max().item() for x, y in zip(a, b))


def check(name, flag, config, prepare):
    """prepare makes of a model of transformers' one that multiplies in float32."""
    mine, saved = f"{tmp}/mine-{flag}", f"{tmp}/saved-{flag}"
    load = lambda dir, **kw: AutoModelForCausalLM.from_pretrained(dir, device_map={"": "cpu"}, **kw)
    subprocess.run([tmp + "/graft", "quantize", "--model", model, "--quantize", flag, "--out", mine], check=True)
    d = worst(ours(mine), theirs(prepare(load(mine, dtype=torch.float32))))
    verdict(d < 1e-3, f"graft's {name} checkpoint in transformers: logits within {d:.2e}")
    load(model, quantization_config=config, dtype=torch.bfloat16).save_pretrained(saved)
    d = worst(ours(saved), theirs(prepare(load(saved, dtype=torch.float32))))
    verdict(d < 1e-3, f"transformers' {name} checkpoint in graft: logits within {d:.2e}")
    with safe_open(mine + "/model.safetensors", "pt") as a, safe_open(saved + "/model.safetensors", "pt") as b:
        names = set(a.keys()) ^ set(b.keys())
        different = [n for n in a.keys() if n in b.keys() and not torch.equal(a.get_tensor(n), b.get_tensor(n))]
        verdict(not names and not different, f"{len(a.keys())} tensors: {len(names)} names in one file only, {len(different)} differ {sorted(different)[:3]}")


check("4-bit", "nf4", BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16), plain)
# LLM.int8 quantises activations too while it multiplies: dense layers of the weights' values do not.
check("8-bit", "int8", BitsAndBytesConfig(load_in_8bit=True), lambda m: plain(m.dequantize(dtype=torch.float32)))
shutil.rmtree(tmp)
sys.exit(1 if faults else 0)
