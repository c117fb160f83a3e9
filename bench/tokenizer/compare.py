#!/usr/bin/env python3
"""Measures tokenizers side by side, on one thread each: graft's, the official library's (tokenizers, in Rust, called from
Python) and github.com/sugarme/tokenizer's, whose version go.mod pins.

    pip install tokenizers==0.23.3
    python compare.py DOCS NAME=DIR ... [--rounds 3] [--reps 5] [--sugarme 4]

DOCS has a document {"text": ...} a line. DIR holds tokenizer.json. Every measurement is a process of its own; the engines take
turns, ROUNDS times, and each number is the median of the rounds. sugarme encodes the first --sugarme documents only, as it
takes minutes for a megabyte. Prints a table in Markdown. MB is 10**6 bytes. Needs Linux, Go and Python 3.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = "0.23.3"


def official(path, docs, reps):
    """The official library's numbers, in this process."""
    import tokenizers
    if tokenizers.__version__ != VERSION:
        sys.exit(f"tokenizers is {tokenizers.__version__}, want {VERSION}")
    texts = [json.loads(line)["text"] for line in open(docs, encoding="utf-8")]
    size = sum(len(t.encode()) for t in texts) / 1e6
    resident = lambda: int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    open(path, "rb").read()
    out, loads, before = {}, [], resident()
    for i in range(3):
        start = time.perf_counter()
        tok = tokenizers.Tokenizer.from_file(path)
        loads.append(time.perf_counter() - start)
        if i == 0:
            out["rss_mb"] = resident() - before

    def seconds(f):
        start = time.perf_counter()
        f()
        return time.perf_counter() - start

    each = lambda: [tok.encode(t, add_special_tokens=False) for t in texts]
    out["load_s"] = statistics.median(loads)
    out["cold_mb_s"] = size / seconds(each)
    out["encode_mb_s"] = size / statistics.median(seconds(each) for _ in range(reps))
    out["fast_mb_s"] = size / statistics.median(seconds(lambda: tok.encode_batch_fast(texts, add_special_tokens=False)) for _ in range(reps))
    out["tokens"] = sum(len(e.ids) for e in each())
    return out


def measure(command):
    """The JSON that a command prints, or None if it fails."""
    env = {**os.environ, "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    r = subprocess.run(command, env=env, capture_output=True, text=True)
    if r.returncode:
        print(f"{' '.join(command[:3])}: {r.stderr.strip()[:200]}", file=sys.stderr)
        return None
    return json.loads(r.stdout)


def medians(runs):
    return {k: statistics.median(r[k] for r in runs) for k in runs[0]} if all(runs) else None


def compare(name, path, a, program, few):
    """The medians of each engine, by its name."""
    commands = {
        "official": [sys.executable, __file__, a.docs, path, "--official", "--reps", str(a.reps)],
        "graft": [program, "graft", path, a.docs, str(a.reps)],
        "sugarme": [program, "sugarme", path, few, "1"],
    }
    runs = {engine: [] for engine in commands}
    for i in range(a.rounds):
        for engine, command in commands.items():
            if engine != "sugarme" or i == 0:
                runs[engine].append(measure(command))
    m = {engine: medians(r) for engine, r in runs.items()}
    if not m["official"] or not m["graft"] or m["official"]["tokens"] != m["graft"]["tokens"]:
        sys.exit(f"{name}: the two do not give the same number of tokens: {m}")
    return m


def row(name, path, m):
    o, g, s = m["official"], m["graft"], m["sugarme"]
    best = max(o["encode_mb_s"], o["fast_mb_s"])
    cells = [name, f"{os.path.getsize(path) / 1e6:.1f}", f"{o['encode_mb_s']:.2f}", f"{o['fast_mb_s']:.2f}", f"{s['encode_mb_s']:.4f}" if s else "panics",
             f"{g['encode_mb_s']:.1f}", f"{g['encode_mb_s'] / best:.1f}", f"{g['cold_mb_s']:.1f}", f"{g['allocs_doc']:.2f}",
             f"{o['load_s'] * 1e3:.2f}", f"{g['load_s'] * 1e3:.2f}", f"{g['load_s'] / o['load_s']:.2f}",
             f"{o['rss_mb']:.1f}", f"{g['rss_mb']:.1f}", f"{g['rss_mb'] / o['rss_mb']:.2f}", f"{g['live_mb']:.1f}"]
    return "| " + " | ".join(cells) + " |"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("docs")
    p.add_argument("what", nargs="+")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--sugarme", type=int, default=4)
    p.add_argument("--official", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.official:
        print(json.dumps(official(a.what[0], a.docs, a.reps)))
        return
    a.docs = os.path.abspath(a.docs)
    with tempfile.TemporaryDirectory() as tmp:
        program, few = os.path.join(tmp, "tokenizer"), os.path.join(tmp, "few.jsonl")
        subprocess.run(["go", "build", "-o", program, "."], cwd=HERE, check=True)
        lines = open(a.docs, encoding="utf-8").readlines()
        open(few, "w", encoding="utf-8").writelines(lines[:a.sugarme])
        cpu = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), "?")
        go = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
        print(f"{cpu}, one thread; tokenizers {VERSION}, sugarme v0.3.0, {go}; {len(lines)} documents, {sum(len(json.loads(x)['text'].encode()) for x in lines)} bytes\n")
        print("| tokenizer | file MB | official encode MB/s | encode_batch_fast | sugarme | graft | times | cold | allocs a document | load ms, official | graft | ratio | resident MB, official | graft | ratio | live MB |")
        print("|" + "---|" * 16)
        for w in a.what:
            name, d = w.split("=", 1)
            path = os.path.join(os.path.abspath(d), "tokenizer.json")
            print(row(name, path, compare(name, path, a, program, few)), flush=True)


if __name__ == "__main__":
    main()
