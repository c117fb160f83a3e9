#!/usr/bin/env python3
"""Compares graft's tokens and labels with those of TRL.

    pip install -r requirements.txt
    python check.py DATA TOKENIZERS [--rows 500]

DATA holds self-instruct, llamafactory, gsm8k and fastchat as shared; TOKENIZERS holds smollm2, llama3 and qwen3 with
tokenizer.json and tokenizer_config.json. Rows are drawn from the four with a fixed seed and written as TRL reads them:
 1. completion_only_loss on prompt and completion, with the templates of SmolLM2, Llama 3, Qwen 2.5 and Qwen 3;
 2. assistant_only_loss on messages, with TRL's training templates of Llama 3, Qwen 2.5 and Qwen 3.
Every row must have the same tokens and the same labels. A row in which TRL says itself that the prompt's tokens are not
those of inference is counted apart. Exits with 1 on any other difference. Needs go on the PATH.
"""
import argparse, collections, json, os, random, subprocess, sys, tempfile

import torch
import trl
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

p = argparse.ArgumentParser()
p.add_argument("data")
p.add_argument("tokenizers")
p.add_argument("--rows", type=int, default=500)
a = p.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(os.path.dirname(here))
tmp = tempfile.mkdtemp()
subprocess.run(["go", "build", "-o", tmp + "/trl-check", "./scripts/trl-check"], cwd=root, check=True)
templates = os.path.join(os.path.dirname(trl.__file__), "chat_templates")


def say(role, content):
    return {"role": role, "content": content}


def chats():
    """All rows of the four sets as lists of messages."""
    lines = lambda name: [json.loads(l) for l in open(os.path.join(a.data, name))]
    whole = lambda name: json.load(open(os.path.join(a.data, name)))
    both = lambda instruction, i: instruction + ("\n" + i["input"] if i["input"] else "")
    yield [[say("user", both(r["instruction"], i)), say("assistant", i["output"])] for r in lines("self-instruct/seed_tasks.jsonl") for i in r["instances"]]
    yield [[say("user", both(r["instruction"], r)), say("assistant", r["output"])] for r in whole("llamafactory/identity.json")]
    yield [[say("user", r["question"]), say("assistant", r["answer"])] for r in lines("gsm8k/train.jsonl")]
    names = {"human": "user", "gpt": "assistant"}
    yield [[say(names[m["from"]], m["value"]) for m in r["conversations"]] for r in whole("fastchat/dummy_conversation.json")]


def draw():
    sets, rng, drawn = list(chats()), random.Random(0), []
    for i, rows in enumerate(sets):
        left = a.rows - len(drawn)
        drawn += rng.sample(rows, min(len(rows), left // (len(sets) - i)))
    return drawn


def tokenizer(name, template):
    dir = os.path.join(a.tokenizers, name)
    config = json.load(open(os.path.join(dir, "tokenizer_config.json")))
    text = lambda v: v["content"] if isinstance(v, dict) else v
    roles = {k: text(config[k]) for k in ("bos_token", "eos_token", "pad_token", "unk_token") if config.get(k)}
    roles.setdefault("pad_token", roles["eos_token"])
    t = PreTrainedTokenizerFast(tokenizer_file=os.path.join(dir, "tokenizer.json"), **roles)
    t.chat_template = open(template).read() if template else config["chat_template"]
    return t


def theirs(tok, rows, **loss):
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tok), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))
    args = trl.SFTConfig(output_dir=tmp + "/out", max_length=None, report_to="none", use_cpu=True, bf16=False, disable_tqdm=True, **loss)
    return trl.SFTTrainer(model=model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tok).train_dataset


def ours(name, template, rows):
    path = tmp + "/rows.jsonl"
    with open(path, "w") as f:
        for r in rows:
            f.write(json.dumps(r) + "\n")
    out = subprocess.run([tmp + "/trl-check", "--tokenizer", os.path.join(a.tokenizers, name), "--template", template, path], capture_output=True, text=True)
    if out.returncode:
        sys.exit(out.stderr)
    samples = collections.defaultdict(list)
    for line in out.stdout.splitlines():
        s = json.loads(line)
        samples[int(s["source"].rsplit(":", 1)[1]) - 1].append(s)
    return [samples[i] for i in range(len(rows))]


def torn(tok, row):
    """Whether the prompt's tokens are not a prefix of the whole's."""
    if "prompt" not in row:
        return any(torn(tok, {"prompt": row["messages"][:i], "completion": [m]}) for i, m in enumerate(row["messages"]) if m["role"] == "assistant")
    ids = lambda m, **k: tok.apply_chat_template(m, return_dict=True, **k)["input_ids"]
    before = ids(row["prompt"], add_generation_prompt=True)
    return ids(row["prompt"] + row["completion"])[: len(before)] != before


def compare(what, name, template, rows, **loss):
    tok = tokenizer(name, template)
    want, got = theirs(tok, rows, **loss), ours(name, template, rows)
    same, apart, bad = 0, 0, []
    for i, (w, g) in enumerate(zip(want, got)):
        if len(g) == 1 and g[0]["input_ids"] == w["input_ids"] and g[0]["labels"] == w["labels"]:
            same += 1
        elif torn(tok, rows[i]):
            apart += 1
        else:
            bad.append(i)
    print(f"{'ok   ' if not bad else 'FAIL '} {what}: {same} of {len(rows)} rows the same, {apart} with a torn prompt, {len(bad)} different", flush=True)
    for i in bad[:2]:
        print("  ", json.dumps(rows[i], ensure_ascii=False)[:300])
        print("   TRL  ", want[i]["input_ids"][-12:], want[i]["labels"][-12:])
        print("   graft", *[(s["input_ids"][-12:], s["labels"][-12:]) for s in got[i]])
    return bool(bad)


rows = draw()
pairs = [{"prompt": r[:-1], "completion": r[-1:]} for r in rows]
messages = [{"messages": r} for r in rows]
file = lambda name: os.path.join(templates, name + ".jinja")
failed = False
for name, template in (("smollm2", ""), ("llama3", file("llama3")), ("qwen3", file("qwen2_5")), ("qwen3", file("qwen3"))):
    failed |= compare(f"completion_only_loss, {os.path.basename(template) or name}", name, template, pairs, completion_only_loss=True)
for name, template in (("llama3", "llama3_training"), ("qwen3", "qwen2_5_training"), ("qwen3", "qwen3_training")):
    failed |= compare(f"assistant_only_loss, {template}", name, file(template), messages, assistant_only_loss=True)
print("trl", trl.__version__, "torch", torch.__version__, len(rows), "rows")
sys.exit(failed)
