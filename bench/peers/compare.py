#!/usr/bin/env python3
"""Trains with graft and with its peers in turn, on the same machine and threads, and prints a table in Markdown.

    pip install -r requirements.txt
    python compare.py MODEL [--data gsm8k/train.jsonl] [--pairs 5] [--steps 6] [--case qlora ...]

MODEL is a checkpoint such as SmolLM2-135M's. Every measurement is a process of its own. In a pair the engines take turns; a
rate is the median of the pairs' medians over steps, a ratio the median of the pairs' ratios, memory the largest peak of the
whole process. Needs Linux, Go and Python.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
median = statistics.median
# Of each case: graft's flags, those of its peers, and whether it takes records.
CASES = {
    "lora-float32": ("-mode lora -device cpu:float32", ["--mode lora --dtype float32"], False),
    "lora": ("-mode lora", ["--mode lora --dtype bfloat16", "--mode lora --dtype float32"], False),
    "lora-recompute": ("-mode lora -recompute", ["--mode lora --dtype bfloat16 --checkpointing"], False),
    "qlora": ("-mode qlora", ["--mode qlora --dtype bfloat16"], False),
    "qlora-recompute": ("-mode qlora -recompute", ["--mode qlora --dtype bfloat16", "--mode qlora --dtype bfloat16 --checkpointing"], False),
    "full": ("-mode full", ["--mode full --dtype bfloat16", "--mode full --dtype float32"], False),
    "records": ("-mode lora -batch 4", ["--mode lora --dtype bfloat16 --batch 4 --single", "--mode lora --dtype bfloat16 --batch 4"], True),
}


def measure(command):
    r = subprocess.run(command, capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"{' '.join(command)}: {r.stderr.strip()[-2000:]}")
    return json.loads(r.stdout.strip().splitlines()[-1])


def rate(run, records):
    """Tokens a second of the median step; of records, which differ in length, those of all steps together."""
    if records:
        return sum(run["tokens"]) / sum(run["seconds"])
    return median(t / s for t, s in zip(run["tokens"], run["seconds"]))


def row(label, runs, records):
    speed = median(rate(r, records) for r in runs)
    samples = median(4 * len(r["seconds"]) / sum(r["seconds"]) for r in runs) if records else None
    return [label, f"{speed:.0f}" + (f" ({samples:.2f} samples/s)" if records else ""), max(r["peak_mb"] for r in runs)]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--data")
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--steps", type=int, default=6)
    p.add_argument("--case", nargs="*", choices=CASES, default=list(CASES))
    a = p.parse_args()
    graft = os.path.join(tempfile.mkdtemp(), "peers")
    subprocess.run(["go", "build", "-o", graft, "."], cwd=HERE, check=True)
    print("| case | engine | tokens/s | peak MB | graft, times as fast | graft's memory |\n|---|---|---|---|---|---|")
    for case in a.case:
        mine, peers, records = CASES[case]
        if records and not a.data:
            continue
        ours_extra = ["-steps", str(a.steps)] + (["-data", a.data] if records else [])
        theirs_extra = ["--steps", str(a.steps)] + (["--data", a.data] if records else [])
        ours, theirs = [], {q: [] for q in peers}
        for _ in range(a.pairs):
            ours.append(measure([graft, "-model", a.model, *mine.split(), *ours_extra]))
            for q in peers:
                theirs[q].append(measure([sys.executable, os.path.join(HERE, "peer.py"), "--model", a.model, *q.split(), *theirs_extra]))
        label, speed, peak = row("graft " + mine, ours, records)
        print(f"| {case} | {label} | {speed} | {peak} | | |")
        for q in peers:
            label, speed, theirs_peak = row("PEFT " + q, theirs[q], records)
            faster = median(rate(x, records) / rate(y, records) for x, y in zip(ours, theirs[q]))
            print(f"| {case} | {label} | {speed} | {theirs_peak} | {faster:.2f} | {peak / theirs_peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
