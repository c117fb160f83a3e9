#!/usr/bin/env python3
"""Matrix products of graft's CPU device and of PyTorch, side by side.

    pip install torch==2.15.0
    python compare.py [--pairs 9] [--milliseconds 15] [--tokens 512] [--only f32|bf16] [--threads 1 2]

The two take turns, a short slice each, PAIRS times for every product; a slice's time is the best of its runs. On one thread it is
the thread's processor time, which other jobs of the machine lengthen less than time by the clock. Prints a table in Markdown:
medians of the slices in GFLOP/s, the median of the pairs' ratios with the least and the largest, and on one thread in float32
the share of the core's peak, which is measured around every slice; in bf16 the ratio where the tokens of NT and NN have been rounded
and packed before, as torch's have been rounded. Between slices both are left to go to sleep. Needs Go, Linux.
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


class Row:
    """The slices of a product: operations a second and shares of the peak."""

    def __init__(self, graft, a, form, dtype, threads, out, width):
        import torch
        torch.set_num_threads(threads)
        run = torch_product(form, dtype, a.tokens, out, width)
        operations = 2 * a.tokens * out * width
        adapter = min(out, width) <= 64  # its tokens are packed for the matrix that it adapts
        engines = {"graft": adapter, "torch": None}
        if dtype == "bf16" and form != "TN" and not adapter:
            engines["held"] = True
        self.rates, self.shares = {e: [] for e in engines}, []
        with torch.no_grad():
            for i in range(a.pairs):
                for engine in list(engines)[::1 if i % 2 else -1]:
                    time.sleep(.005)
                    if engine == "torch":
                        self.rates[engine].append(operations / best(run, a.milliseconds / 1e3, threads))
                        continue
                    seconds, peak = graft.time(form, dtype, threads, a.tokens, out, width, a.milliseconds, int(engines[engine]))
                    self.rates[engine].append(operations / seconds)
                    if engine == "graft":
                        self.shares.append(operations / seconds / peak if peak else 0)

    def rate(self, engine):
        return statistics.median(self.rates[engine])

    def ratios(self, engine):
        return [ours / theirs for ours, theirs in zip(self.rates[engine], self.rates["torch"])]

    def ratio(self, engine):
        """The median of the pairs' ratios; None where it was not measured."""
        return statistics.median(self.ratios(engine)) if engine in self.rates else None

    def share(self):
        return statistics.median(self.shares)


def mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def tables(graft, a):
    for dtype in a.only:
        for threads in a.threads:
            print(f"\n### {dtype}, {threads} thread{'s' * (threads > 1)}\n")
            share, held = dtype == "f32" and threads == 1, dtype == "bf16"
            print("| | out x in | graft GFLOP/s | torch GFLOP/s | ratio | least to most |" + " of peak |" * share + " tokens packed already |" * held)
            print("|---|---|---|---|---|---|" + "---|" * (share + held))
            for model, shapes in MODELS.items():
                rows = []
                for form in ("NT", "NN", "TN"):
                    for out, width in shapes:
                        if out > 20000 and form == "TN":
                            continue
                        r = Row(graft, a, form, dtype, threads, out, width)
                        rows.append(r)
                        print(f"| {form} | {out} x {width} | {r.rate('graft') / 1e9:.1f} | {r.rate('torch') / 1e9:.1f} | {r.ratio('graft'):.2f} | "
                              f"{min(r.ratios('graft')):.2f} to {max(r.ratios('graft')):.2f} |" + f" {r.share():.2f} |" * share + number(r.ratio("held")) * held, flush=True)
                kept = [r.ratio("held") for r in rows if r.ratio("held")]
                print(f"| | **{model}**, geometric mean | | | **{mean(r.ratio('graft') for r in rows):.2f}** | |" + f" **{mean(r.share() for r in rows):.2f}** |" * share
                      + number(kept and mean(kept)) * held, flush=True)


def number(x):
    return f" {x:.2f} |" if x else " |"


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
