#!/usr/bin/env python3
"""Compares package model/safetensors with the reference implementation.

    pip install -r requirements.txt
    python check.py          # check
    python check.py --make   # write the package's testdata/python.safetensors anew

The check has the Go tests write their specimens of sound and damaged files and
files of package safetensors' own. The reference implementation must read and
refuse the same specimens, but for those that are listed as refused by Go alone,
and must find in the files what Go wrote.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file

PACKAGE = Path(__file__).resolve().parents[2] / "model" / "safetensors"


def make():
    """Writes six elements of each type: 0 to 5, for reals (0 to 5)/4 - 0.5."""
    whole = torch.arange(6).reshape(2, 3)
    real = whole.double() / 4 - 0.5
    tensors = {
        "f64": real,
        "f32": real.float(),
        "f16": real.half(),
        "bf16": real.bfloat16(),
        "f8_e4m3": real.to(torch.float8_e4m3fn),
        "f8_e5m2": real.to(torch.float8_e5m2),
        "c64": torch.complex(real.float(), -real.float()),
        "i64": whole,
        "i32": whole.int(),
        "i16": whole.short(),
        "i8": whole.to(torch.int8),
        "u64": whole.to(torch.uint64),
        "u32": whole.to(torch.uint32),
        "u16": whole.to(torch.uint16),
        "u8": whole.to(torch.uint8),
        "bool": whole % 2 == 1,
        "scalar": torch.tensor(-0.25),
        "empty": torch.zeros(2, 0, 3),
    }
    metadata = {"format": "pt", "quoted": 'a "b"\n\u00e9 \U0001f600'}
    save_file(tensors, PACKAGE / "testdata" / "python.safetensors", metadata)


def reads(path):
    """Tells whether the library reads a file, in both of its ways."""
    answers = []
    for read in (lambda: safetensors.deserialize(path.read_bytes()), lambda: safetensors.safe_open(path, "pt").keys()):
        try:
            read()
            answers.append(True)
        except Exception:
            answers.append(False)
    assert answers[0] == answers[1], f"{path}: read from memory {answers[0]}, as a file {answers[1]}"
    return answers[0]


def check_specimens(directory):
    specimens = json.loads((directory / "specimens.json").read_text())
    stricter, faults = [], []
    for s in specimens:
        want = s["Err"] == "" or s["Taken"]
        if reads(directory / s["File"]) != want:
            faults.append(f"{s['Name']}: Python {'refuses' if want else 'reads'} it; Go: {s['Err'] or 'reads it'}")
        if s["Taken"]:
            stricter.append(f"{s['Name']}: {s['Err']}")
    print(f"{len(specimens)} specimens, {len(stricter)} that Go alone refuses:")
    print("\n".join("    " + s for s in stricter))
    return faults


def check_written(directory):
    """Compares the files that Go wrote with the list of what it wrote."""
    wanted = {t["Name"]: t for t in json.loads((directory / "written.json").read_text())}
    index = json.loads((directory / "sharded" / "model.safetensors.index.json").read_text())
    shards = sorted(set(index["weight_map"].values()))
    faults = []
    for files in ([directory / "written.safetensors"], [directory / "sharded" / s for s in shards]):
        found = {}
        for file in files:
            found.update(safetensors.deserialize(file.read_bytes()))
            load_file(file)
            if safetensors.safe_open(file, "pt").metadata() != {"format": "pt"}:
                faults.append(f"{file.name}: metadata")
        if found.keys() != wanted.keys():
            faults.append(f"{files[0].name}: tensors {sorted(found)}, want {sorted(wanted)}")
        for name, t in found.items():
            want = wanted[name]
            if (t["dtype"], t["shape"], bytes(t["data"])) != (want["DType"], want["Shape"], base64.b64decode(want["Data"])):
                faults.append(f"{name}: {t}, want {want}")
    print(f"{len(wanted)} tensors written by Go, in one file and in {len(shards)}")
    return faults


def check():
    with tempfile.TemporaryDirectory() as name:
        command = ["go", "test", ".", "-run", "TestCorpus", "-count=1"]
        subprocess.run(command, cwd=PACKAGE, env={**os.environ, "GRAFT_CORPUS": name}, check=True)
        faults = check_specimens(Path(name)) + check_written(Path(name))
    print("\n".join(faults) or "all agree")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(make() if "--make" in sys.argv else check())
