#!/usr/bin/env python3
"""Trains for some steps with transformers, PEFT and bitsandbytes, and prints what main.go prints of graft.

    python peer.py --model DIR [--mode lora|qlora|full] [--dtype float32|bfloat16] [--checkpointing]
                   [--tokens 512] [--steps 6] [--data FILE --batch 4 [--single]]

--single takes the samples of a step one by one, without padding, with the gradient of the whole step.
"""
import argparse, json, os, re, time

p = argparse.ArgumentParser()
p.add_argument("--model", required=True)
p.add_argument("--mode", default="lora")
p.add_argument("--dtype", default="bfloat16")
p.add_argument("--checkpointing", action="store_true")
p.add_argument("--tokens", type=int, default=512)
p.add_argument("--steps", type=int, default=6)
p.add_argument("--data")
p.add_argument("--batch", type=int, default=1)
p.add_argument("--single", action="store_true")
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()

import torch, transformers
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedTokenizerFast

torch.manual_seed(0)
torch.set_num_threads(a.threads)
transformers.logging.set_verbosity_error()
IGNORED = -100


def trainable():
    dtype = getattr(torch, a.dtype)
    how = {}
    if a.mode == "qlora":
        how = dict(device_map={"": "cpu"}, quantization_config=BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype))
    m = AutoModelForCausalLM.from_pretrained(a.model, dtype=dtype, **how)
    if a.mode == "qlora":
        m = prepare_model_for_kbit_training(m, use_gradient_checkpointing=a.checkpointing)
    if a.mode != "full":
        m = get_peft_model(m, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    if a.checkpointing:
        m.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if a.mode != "full":
            m.enable_input_require_grads()
    m.config.use_cache = False
    return m.train()


def records(n):
    """Tokens and labels of the first n records, through the model's chat template."""
    settings = json.load(open(a.model + "/tokenizer_config.json"))
    tok = PreTrainedTokenizerFast(tokenizer_file=a.model + "/tokenizer.json")
    tok.chat_template = settings["chat_template"]
    encode = lambda text: tok(text, add_special_tokens=False)["input_ids"]
    for _, line in zip(range(n), open(a.data, encoding="utf-8")):
        r = json.loads(line)
        asked = encode(tok.apply_chat_template([{"role": "user", "content": r["question"]}], tokenize=False, add_generation_prompt=True))
        answer = encode(r["answer"] + settings["eos_token"])
        yield asked + answer, [IGNORED] * len(asked) + answer


def padded(rows):
    """One forward pass of all rows: ids, labels, mask and the share of the step's loss."""
    width = max(len(ids) for ids, _ in rows)
    fill = lambda v, with_: v + [with_] * (width - len(v))
    columns = [fill(ids, 0) for ids, _ in rows], [fill(labels, IGNORED) for _, labels in rows], [fill([1] * len(ids), 0) for ids, _ in rows]
    return [(*map(torch.tensor, columns), 1.0)]


def one_by_one(rows):
    counts = [sum(v != IGNORED for v in labels[1:]) for _, labels in rows]
    return [(torch.tensor([ids]), torch.tensor([labels]), None, n / sum(counts)) for (ids, labels), n in zip(rows, counts)]


def steps(vocab):
    """The forward passes of each step."""
    if not a.data:
        x = torch.randint(0, vocab, (a.batch, a.tokens))
        return [[(x, x, None, 1.0)]] * a.steps
    rows = list(records(a.batch * a.steps))
    return [(one_by_one if a.single else padded)(rows[i : i + a.batch]) for i in range(0, len(rows), a.batch)]


model = trainable()
params = [q for q in model.parameters() if q.requires_grad]
optimizer = torch.optim.AdamW(params, lr=2e-5 if a.mode == "full" else 2e-4, weight_decay=0)
seconds, tokens = [], []
for step in steps(model.config.vocab_size):
    start, total = time.perf_counter(), 0.0
    for ids, labels, mask, share in step:
        loss = model(input_ids=ids, labels=labels, attention_mask=mask).loss * share
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(time.perf_counter() - start)
    tokens.append(sum(ids.numel() if mask is None else int(mask.sum()) for ids, _, mask, _ in step))
peak = int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read()).group(1)) * 1024 // 10**6
print(json.dumps(dict(seconds=seconds[1:], tokens=tokens[1:], loss=total, peak_mb=peak)))
