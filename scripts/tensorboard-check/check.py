#!/usr/bin/env python3
"""Has TensorBoard read what graft writes for it.

    pip install -r requirements.txt
    python check.py

Trains the quickstart's model, interrupts and resumes it, and compares every scalar that TensorBoard loads with the line of
metrics.jsonl for that step, and the samples' texts. Exits with 1 when one differs. Needs go on the PATH.
"""
import json, os, signal, struct, subprocess, sys, tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
tmp = tempfile.mkdtemp()
graft, out, board, data = (os.path.join(tmp, n) for n in ("graft", "out", "board", "data.jsonl"))
subprocess.run(["go", "build", "-o", graft, "./cmd/graft"], cwd=root, check=True)
with open(data, "w") as f:
    f.write('{"prompt":"Once upon a time","completion":", zzz zzz."}\n' * 8)
command = [graft, "train", "--model", root + "/examples/quickstart/model", "--data", data, "--eval", data, "--eval-every", "20", "--out", out,
           "--steps", "100", "--batch", "2", "--tensorboard", board, "--save-every", "10", "--samples", "1"]
run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
for line in run.stderr:
    if line.startswith("step 35/"):
        run.send_signal(signal.SIGKILL)  # the snapshot is that of step 30: five steps are taken twice
        break
run.wait()
subprocess.run([graft, "resume", out], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

loaded = EventAccumulator(board, size_guidance={"scalars": 0, "tensors": 0})
loaded.Reload()
single = lambda x: struct.unpack("f", struct.pack("f", x))[0]
lines = [json.loads(l) for l in open(out + "/metrics.jsonl")]
names = {"step": {"train/loss": "loss", "train/loss_smoothed": "smoothed", "train/learning_rate": "lr", "train/grad_norm": "grad_norm",
                  "train/accuracy": "accuracy", "system/tokens_per_sec": "tokens_per_sec"},
         "evaluation": {"evaluation/loss": "loss", "evaluation/accuracy": "accuracy"}}
faults = []
for event, tags in names.items():
    for tag, key in tags.items():
        want = [(l["step"], single(l[key])) for l in lines if l["event"] == event]
        got = [(e.step, e.value) for e in loaded.Scalars(tag)]
        if got != want:
            faults.append(f"{tag}: {len(got)} values, want {len(want)}; first difference {next((p for p in zip(got, want) if p[0] != p[1]), None)}")
texts = [(e.step, e.tensor_proto.string_val[0].decode()) for e in loaded.Tensors("sample/text")]
want = [(l["step"], f"**{l['prompt']}**\n\n{l['text']}") for l in lines if l["event"] == "sample"]
if texts != want or len(want) < 5:
    faults.append(f"texts {texts}, want {want}")
print(f"{len(lines)} lines of metrics, {sum(len(loaded.Scalars(t)) for t in loaded.Tags()['scalars'])} scalars in {os.listdir(board)}")
for f in faults:
    print("FAULT", f)
sys.exit(1 if faults else 0)
