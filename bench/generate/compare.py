#!/usr/bin/env python3
"""Runs graft, transformers and llama.cpp in turn on one prompt and the tokens after it, and prints a table in Markdown.

    pip install -r requirements.txt
    python compare.py MODEL [--rounds 5] [--threads 2]

MODEL is a LLaMA checkpoint in one file, such as SmolLM2-135M's. Every measurement is a process of its own, which runs twice and
reports the second; engines take turns. Rates are medians of the rounds. The ratios are medians over the rounds of graft against
the best llama.cpp of the round (prefill) and against the llama.cpp of as many bytes a weight (decode). Needs Linux, Go and Python.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
median = statistics.median


def run(*command):
    r = subprocess.run(command, capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"{' '.join(command)}: {r.stderr.strip()[-2000:]}")
    return r.stdout


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    work = tempfile.mkdtemp()
    graft, peer = os.path.join(work, "generate"), [sys.executable, os.path.join(HERE, "peer.py")]
    subprocess.run(["go", "build", "-o", graft, "."], cwd=HERE, check=True)
    gguf = {name: os.path.join(work, name + ".gguf") for name in ("f32", "bf16", "q8_0", "q4_0")}
    run(*peer, "convert", a.model, gguf["f32"], "--dtype", "float32")
    run(*peer, "convert", a.model, gguf["bf16"], "--dtype", "bfloat16")
    for name in ("q8_0", "q4_0"):
        run(*peer, "quantize", gguf["f32"], gguf[name], "--to", name)
    mine = [graft, "-model", a.model, "-rounds", "2", "-device"]
    theirs = ["--rounds", "2", "--threads", str(a.threads)]
    commands = {
        "graft bf16": mine + [f"cpu:{a.threads}"],
        "graft int8": mine + [f"cpu:{a.threads}", "-quantize", "int8"],
        "graft nf4": mine + [f"cpu:{a.threads}", "-quantize", "nf4"],
        "graft bf16, float32 products": mine + [f"cpu:{a.threads},float32"],
        "transformers bf16": peer + ["transformers", a.model, "--dtype", "bfloat16"] + theirs,
        "transformers f32": peer + ["transformers", a.model, "--dtype", "float32"] + theirs,
    } | {"llama.cpp " + name: peer + ["llama.cpp", file] + theirs + ["--plain"] * ("q" in name) for name, file in gguf.items()}
    rounds = [{name: json.loads(run(*c).splitlines()[-1]) for name, c in commands.items()} for _ in range(a.rounds)]
    print("| engine | prefill tokens/s | decode tokens/s |\n|---|---|---|")
    for name in commands:
        print(f"| {name} | {median(r[name]['prefill'] for r in rounds):.0f} | {median(r[name]['decode'] for r in rounds):.1f} |")
    best = median(r["graft bf16"]["prefill"] / max(r["llama.cpp " + n]["prefill"] for n in gguf) for r in rounds)
    print(f"\nPrefill, graft bf16 against the best of llama.cpp: {best:.2f} times.")
    for ours, their in (("bf16", "bf16"), ("int8", "q8_0"), ("nf4", "q4_0")):
        x = median(r["graft " + ours]["decode"] / r["llama.cpp " + their]["decode"] for r in rounds)
        print(f"Decode, graft {ours} against llama.cpp {their}: {x:.2f} times.")


if __name__ == "__main__":
    main()
