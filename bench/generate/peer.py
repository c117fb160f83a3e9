#!/usr/bin/env python3
"""Prefill and decode of a model by transformers or llama.cpp, as one line of JSON a round; compare.py runs it.

    python peer.py transformers DIR --dtype bfloat16
    python peer.py llama.cpp FILE.gguf
    python peer.py convert DIR FILE.gguf --dtype bfloat16|float32     (a LLaMA without its vocabulary, which tokens need not)
    python peer.py quantize FILE.gguf OUT.gguf --to q8_0|q4_0
"""
import argparse, json, os, time

PROMPT, TOKENS = 512, 64


def prompt(vocab, n):
    return [(1000 + i * 7919 % 20000) % vocab for i in range(n)]


def report(n, start, first, end, tokens):
    print(json.dumps(dict(prefill=n / (first - start), decode=(tokens - 1) / (end - first))), flush=True)


def transformers(a):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(a.threads)
    m = AutoModelForCausalLM.from_pretrained(a.source, dtype=getattr(torch, a.dtype)).eval()
    with torch.inference_mode():
        for _ in range(a.rounds):
            ids, past, start = torch.tensor([prompt(m.config.vocab_size, a.prompt)]), None, time.time()
            for i in range(a.tokens):
                out = m(ids, past_key_values=past, use_cache=True, logits_to_keep=1)
                past, ids = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
                if i == 0:
                    first = time.time()
            report(a.prompt, start, first, time.time(), a.tokens)


def llama_cpp(a):
    import llama_cpp
    import numpy as np

    if a.plain:  # weights as they lie in the file: 0.3.36 crashes on AMX with those it lays out anew
        defaults = llama_cpp.llama_cpp.llama_model_default_params

        def plain():
            p = defaults()
            p.use_extra_bufts = False
            return p

        llama_cpp.llama_model_default_params = llama_cpp.llama_cpp.llama_model_default_params = plain
    m = llama_cpp.Llama(a.source, n_ctx=a.prompt + a.tokens, n_batch=a.prompt, n_ubatch=a.prompt, n_threads=a.threads, n_threads_batch=a.threads, verbose=False)
    for _ in range(a.rounds):
        m.reset()
        ids, start = prompt(m.n_vocab(), a.prompt), time.time()
        for i in range(a.tokens):
            m.eval(ids)
            ids = [int(np.argmax(np.ctypeslib.as_array(m._ctx.get_logits_ith(-1), (m.n_vocab(),))))]
            if i == 0:
                first = time.time()
        report(a.prompt, start, first, time.time(), a.tokens)


def convert(a):
    import gguf, torch
    from safetensors import safe_open

    c = json.load(open(os.path.join(a.source, "config.json")))
    w = gguf.GGUFWriter(a.out, "llama")
    heads, kv = c["num_attention_heads"], c["num_key_value_heads"]
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_rope_dimension_count(c["hidden_size"] // heads)
    w.add_rope_freq_base(c.get("rope_theta") or c["rope_parameters"]["rope_theta"])
    w.add_head_count(heads)
    w.add_head_count_kv(kv)
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    w.add_vocab_size(c["vocab_size"])
    w.add_tokenizer_model("no_vocab")
    kind = gguf.GGMLQuantizationType.BF16 if a.dtype == "bfloat16" else gguf.GGMLQuantizationType.F32
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, c["num_hidden_layers"])
    with safe_open(os.path.join(a.source, "model.safetensors"), "pt") as f:
        for name in f.keys():
            t = f.get_tensor(name)
            for part, n in (("q_proj", heads), ("k_proj", kv)):  # ggml rotates neighbours, Hugging Face halves
                if part in name:
                    t = t.reshape(n, 2, -1, t.shape[1]).swapaxes(1, 2).reshape(t.shape)
            to = kind if t.ndim > 1 else gguf.GGMLQuantizationType.F32
            x = t.to(torch.float32).contiguous().numpy()
            w.add_tensor(names.get_name(name, (".weight",)), gguf.quantize(x, to), raw_dtype=to)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def quantize(a):
    import llama_cpp

    p = llama_cpp.llama_model_quantize_default_params()
    p.ftype = {"q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0}[a.to]
    if llama_cpp.llama_model_quantize(a.source.encode(), a.out.encode(), p):
        raise SystemExit("llama_model_quantize failed")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=["transformers", "llama.cpp", "convert", "quantize"])
    p.add_argument("source")
    p.add_argument("out", nargs="?")
    p.add_argument("--dtype", default="bfloat16")
    p.add_argument("--to")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--prompt", type=int, default=PROMPT)
    p.add_argument("--tokens", type=int, default=TOKENS)
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--plain", action="store_true")
    a = p.parse_args()
    {"transformers": transformers, "llama.cpp": llama_cpp, "convert": convert, "quantize": quantize}[a.what](a)


if __name__ == "__main__":
    main()
