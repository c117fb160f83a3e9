#!/usr/bin/env python3
"""Checks and times kernels/cuda on a GPU; needs neither Go nor a CUDA toolkit there.

    go test -c -tags cuda -o cuda.test ./kernels/cuda        (where Go is; CGO_CFLAGS as in docs/cuda.md)
    python check.py cuda.test REPORT.md [--short]

REPORT.md is written under docs/bench as cuda-CARD.md. In this order, and each by itself:
 1. the fragments of the tensor cores lie as the kernels believe;
 2. the conformance suite, the kernels for aligned operands against those for any, memory, several GPUs;
 3. compute-sanitizer's four tools, where it is installed, over the products and attention;
 4. 50 training steps of a small 4-bit model, their losses against the CPU's;
 5. times: ours, and PyTorch's where it is installed: cuBLAS on bfloat16, and what bitsandbytes does with 4 bits,
    which is to dequantise into a buffer and call cuBLAS.
--short makes everything small, for the emulated driver: GRAFT_CUDA_DRIVER=.../libcuda.so.1.
Exits with 1 when one of 1 to 4 does not hold.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("binary")
p.add_argument("report")
p.add_argument("--short", action="store_true")
a = p.parse_args()
binary = str(pathlib.Path(a.binary).resolve())
short = ["-test.short"] if a.short else []
report, failed = [], []


def run(*command, **env):
    started = time.time()
    done = subprocess.run(command, text=True, capture_output=True, env={**os.environ, **env})
    return done.returncode, done.stdout + done.stderr, time.time() - started


def check(title, *command, **env):
    """Runs a part of the checks and notes how it ends."""
    code, output, seconds = run(*command, **env)
    skipped = "--- SKIP" in output or "no tests to run" in output
    verdict = "FAILED" if code else "skipped" if skipped else "holds"
    report.append(f"| {title} | {verdict} | {seconds:.1f} s |")
    print(report[-1], flush=True)
    if code or skipped:
        print(output[-4000:], flush=True)
    if code:
        failed.append(title)


def tests(pattern):
    return [binary, f"-test.run={pattern}", "-test.v", *short]


def sanitize():
    tool = shutil.which("compute-sanitizer")
    for name in ["memcheck", "racecheck", "initcheck", "synccheck"]:
        if tool:
            check(f"compute-sanitizer {name}", tool, "--tool", name, "--error-exitcode", "9", *tests("^(TestProductsAgree|TestProductsOfFewRowsAgree|TestWarpgroupsAgree|TestFlashAgrees|TestFragmentLayout)$"))
        else:
            report.append(f"| compute-sanitizer {name} | not installed | |")


def ours():
    """Returns what the benchmarks measure, by name."""
    code, output, _ = run(binary, "-test.run=^$", "-test.bench=.", *(["-test.short", "-test.benchtime=1x"] if a.short else ["-test.benchtime=200ms"]))
    if code:
        failed.append("benchmarks")
        print(output[-4000:])
    rows = {}
    for name, ns, rest in re.findall(r"^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(.*)$", output, re.M):
        metrics = {unit: float(v) for v, unit in re.findall(r"([\d.e+-]+) (GB/s|TFLOP/s)", rest)}
        rows[name] = (float(ns) / 1e3, metrics.get("TFLOP/s", 0), metrics.get("GB/s", 0))
    return rows


def theirs(names):
    """Returns PyTorch's microseconds for the products among the names."""
    try:
        import torch
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    table = torch.linspace(-1, 1, 16, device="cuda", dtype=torch.bfloat16)

    def clock(f):
        for _ in range(3):
            f()
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(20):
            f()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / 20 * 1e3

    def dequantise(packed, scale, shape):
        codes = torch.stack((packed >> 4, packed & 15), -1).view(-1, 64).int()
        return (table[codes] * scale).view(shape)

    def product(name):
        kind, out, size, form, rows = re.match(r"Products/(\w+)/(\d+)x(\d+)/(\w+)/(\d+)", name).groups()
        out, size, rows = int(out), int(size), int(rows)
        x = torch.randn(rows, size if kind == "MatMul" else out, device="cuda", dtype=torch.bfloat16)
        w = torch.randn(out, size, device="cuda", dtype=torch.bfloat16)
        multiply = (lambda w: x @ w.T) if kind == "MatMul" else (lambda w: x @ w)
        if form == "bf16":
            return clock(lambda: multiply(w))
        if form == "int8":
            codes, scales = torch.randint(-127, 128, (out, size), device="cuda", dtype=torch.int8), torch.rand(out, 1, device="cuda", dtype=torch.bfloat16)
            return clock(lambda: multiply(codes * scales))
        packed = torch.randint(0, 256, (out * size // 2,), device="cuda", dtype=torch.uint8)
        try:
            import bitsandbytes.functional as bnb

            q, state = bnb.quantize_4bit(w, quant_type="nf4", compress_statistics=True)
            return clock(lambda: multiply(bnb.dequantize_4bit(q, state)))
        except ImportError:
            scale = torch.rand(out * size // 64, 1, device="cuda", dtype=torch.bfloat16)
            return clock(lambda: multiply(dequantise(packed, scale, w.shape)))

    return {n: product(n) for n in names if n.startswith("Products/")}


code, output, _ = run(*tests("^TestCard$"))
card = re.search(r"card: (.*)", output)
if code or not card:
    sys.exit(f"no GPU to check:\n{output[-2000:]}")
emulated = "emulated" in card[1]
report += [f"# kernels/cuda on {card[1]}", ""]
if emulated:
    report += ["An emulated GPU: what follows shows that the script runs, and no speed.", ""]
report += ["| check | | time |", "|---|---|---|"]
check("fragment layouts", *tests("Layout"))
check("conformance suite", *tests("^TestSuite$"))
check("conformance suite, operands aligned", *tests("^TestSuiteAligned$"))
check("kernels agree", *tests("Agree"))
check("memory, several GPUs", *tests("^(TestOutOfMemory|TestNames|TestLookupInPieces)$"))
check("memory in pages", *tests("^TestPages$"))
sanitize()
check(f"{10 if a.short else 50} training steps", *tests("^TestTrainingFollowsTheCPU$"), GRAFT_CUDA_STEPS="" if a.short else "50")
check("training is reproducible", *tests("^TestTrainingIsReproducible$"))

rows = ours()
peers = theirs(rows)
if emulated:
    report.append(f"\n{len(rows)} benchmarks ran.")
    rows = {}
else:
    report += ["", "| | µs | TFLOP/s | GB/s | PyTorch µs | share of its speed |", "|---|---|---|---|---|---|"]
for name, (us, tflops, gbs) in rows.items():
    peer = peers.get(name)
    report.append(f"| {name} | {us:.1f} | {tflops:.1f} | {gbs:.0f} | " + (f"{peer:.1f} | {peer / us:.2f} |" if peer else "| |"))
pathlib.Path(a.report).write_text("\n".join(report) + "\n")
print(f"{a.report}: {'FAILED: ' + ', '.join(failed) if failed else 'all holds'}")
sys.exit(bool(failed))
