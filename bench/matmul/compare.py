#!/usr/bin/env python3
"""Matrix products of graft's CPU device and of PyTorch, side by side.

    pip install torch==2.15.0
    python compare.py [--pairs 9] [--milliseconds 15] [--tokens 512] [--only f32|bf16] [--threads 1 2]

The two take turns, a short slice each, PAIRS times for every product; a slice's time is the best of its runs. On one thread it is
the thread's processor time, which other jobs of the machine lengthen less than time by the clock. Prints a table in Markdown:
medians of the slices in GFLOP/s, the median of the pairs' ratios with the least and the largest, and on one thread in float32
the share of the core's peak, which is measured around every slice. Between slices both are left to go to sleep. Needs Go, Linux.
"""
import argparse, math, os, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = {
    "SmolLM2-135M": [(576, 576), (192, 576), (1536, 576), (576, 1536), (49152, 576)],
    "TinyLlama-1.1B": [(2048, 2048), (256, 2048), (5632, 2048), (2048, 5632)],
    "adapters of rank 16": [(16, 576), (576, 16), (16, 1536), (1536, 16), (16, 2048), (2048, 16), (16, 5632), (5632, 16)],
}


def torch_product(form, dtype, tokens, out, width):
    import torch
    x, dy, w = torch.rand(tokens, width) - .5, torch.rand(tokens, out) - .5, torch.rand(out, width) - .5
    if dtype == "bf16":
        x, dy, w = x.bfloat16(), dy.bfloat16(), w.bfloat16()
    return {"NT": lambda: torch.nn.functional.linear(x, w), "NN": lambda: dy @ w, "TN": lambda: dy.t() @ x}[form]


def best(run, seconds, threads):
    """The best time of run within some seconds."""
    clock = time.thread_time if threads == 1 else time.perf_counter
    run()
    least, begin = math.inf, clock()
    while True:
        start = clock()
        run()
        now = clock()
        least = min(least, now - start)
        if now - begin > seconds:
            return least


class Graft:
    """The Go program, asked by lines."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.detail = set()

    def time(self, *request):
        """Seconds of a product and the peak of a core."""
        print(*request, file=self.process.stdin, flush=True)
        words = self.process.stdout.readline().split(maxsplit=2)
        if not words:
            sys.exit("the Go program has ended")
        self.detail.add(words[2].strip())
        return float(words[0]), float(words[1])


def measure(graft, a, form, dtype, threads, out, width):
    """A row: medians in operations a second, the ratio, its least and largest, the share of the peak."""
    import torch
    torch.set_num_threads(threads)
    run = torch_product(form, dtype, a.tokens, out, width)
    operations = 2 * a.tokens * out * width
    ours, theirs, ratios, shares = [], [], [], []
    with torch.no_grad():
        for i in range(a.pairs):
            seconds = {}
            for engine in ("graft", "torch") if i % 2 else ("torch", "graft"):
                time.sleep(.005)
                if engine == "graft":
                    seconds[engine], peak = graft.time(form, dtype, threads, a.tokens, out, width, a.milliseconds)
                else:
                    seconds[engine] = best(run, a.milliseconds / 1e3, threads)
            ours.append(operations / seconds["graft"])
            theirs.append(operations / seconds["torch"])
            ratios.append(ours[-1] / theirs[-1])
            shares.append(ours[-1] / peak if peak else 0)
    middle = statistics.median
    return middle(ours), middle(theirs), middle(ratios), min(ratios), max(ratios), middle(shares)


def mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def tables(graft, a):
    for dtype in a.only:
        for threads in a.threads:
            print(f"\n### {dtype}, {threads} thread{'s' * (threads > 1)}\n")
            share = dtype == "f32" and threads == 1
            print("| | out x in | graft GFLOP/s | torch GFLOP/s | ratio | least to most |" + " of peak |" * share)
            print("|---|---|---|---|---|---|" + "---|" * share)
            for model, shapes in MODELS.items():
                rows = []
                for form in ("NT", "NN", "TN"):
                    for out, width in shapes:
                        if out > 20000 and form == "TN":
                            continue
                        r = measure(graft, a, form, dtype, threads, out, width)
                        rows.append(r)
                        print(f"| {form} | {out} x {width} | {r[0] / 1e9:.1f} | {r[1] / 1e9:.1f} | {r[2]:.2f} | {r[3]:.2f} to {r[4]:.2f} |" + f" {r[5]:.2f} |" * share, flush=True)
                print(f"| | **{model}**, geometric mean | | | **{mean(r[2] for r in rows):.2f}** | |" + f" **{mean(r[5] for r in rows):.2f}** |" * share, flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--pairs", type=int, default=9)
    p.add_argument("--milliseconds", type=int, default=15)
    p.add_argument("--tokens", type=int, default=512)
    p.add_argument("--only", nargs="+", default=["f32", "bf16"])
    p.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as work:
        program = os.path.join(work, "matmul")
        subprocess.run(["go", "build", "-o", program, "."], cwd=HERE, check=True)
        graft = Graft(program)
        tables(graft, a)
        import torch
        print("\ngraft: " + "; ".join(sorted(graft.detail)) + f". torch {torch.__version__}.")


if __name__ == "__main__":
    main()
