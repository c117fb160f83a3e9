#!/usr/bin/env python3
"""Writes this folder's reference values, as PyTorch and bitsandbytes compute them on a CPU.

    pip install torch==2.15.0 bitsandbytes==0.50.2 safetensors==0.8.0
    python make.py

quant/             4-bit tensors in every variant: packed codes, scales, values
eight.safetensors  8-bit blocks and rows
stored.safetensors weights as Linear4bit saves them, beside what they were made from
rows.safetensors   weights as Linear8bitLt saves them, likewise
mean.json          the float32 mean of the first n of a sequence of numbers
"""
import json, os
import torch, bitsandbytes as bnb, bitsandbytes.functional as F
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
FLOATS = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
g = torch.Generator().manual_seed(20)


def randn(*shape):
    return torch.randn(shape, generator=g)


def save(name, tensors):
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, os.path.join(HERE, name))


def values(packed, st, n):
    """The elements by the format's definition: blocks run over the flattened tensor."""
    codes = torch.stack([packed.flatten() >> 4, packed.flatten() & 15], 1).flatten().long()[:n]
    scales = st.absmax
    if st.nested:
        nested = st.state2.absmax.repeat_interleave(st.state2.blocksize)[: scales.numel()]
        scales = st.state2.code[scales.long()] * nested + st.offset
    return st.code[codes] * scales.repeat_interleave(st.blocksize)[:n]


def four_bits():
    square = randn(8, 64).bfloat16().float()
    wide = randn(3, 320) * 0.05
    wide[1], wide[2, 7] = 0, 9.0
    tail = randn(3, 51)
    tail.view(-1)[128:] = 0
    small = randn(2, 96) * 1e-38
    out, meta = {}, {}
    for name, x in dict(square=square, wide=wide, ragged=randn(7, 45), tail=tail, small=small).items():
        out[name] = x
        for kind in ("nf4", "fp4"):
            for block in (32, 64, 4096) if name == "ragged" else (64, 128):
                for double in (False, True):
                    q, st = F.quantize_4bit(x, blocksize=block, compress_statistics=double, quant_type=kind)
                    key = f"{name}.{kind}.{'dq' if double else 'sq'}.{block}"
                    out[key + ".packed"] = q.flatten()
                    out[key + ".dequant"] = values(q, st, x.numel()).reshape(x.shape)
                    if double:
                        out[key + ".absmax_u8"] = st.absmax
                        out[key + ".nested_absmax"] = st.state2.absmax
                        out[key + ".nested_map"] = st.state2.code
                        meta[key] = dict(offset=st.offset.item(), nested_blocksize=st.state2.blocksize)
                    else:
                        out[key + ".absmax"] = st.absmax
    os.makedirs(os.path.join(HERE, "quant"), exist_ok=True)
    save("quant/quant.safetensors", out)
    json.dump(meta, open(os.path.join(HERE, "quant/meta.json"), "w"), indent=1)


def eight_bits():
    x = randn(2100) * 10 ** (3 * randn(2100))
    x[256:512] = 0
    x[512:768] = randn(256) * 1e-40
    x[768:1024] *= 1e-38
    x[1100:1200] = 0
    rows = randn(9, 33)
    rows[2] = 0
    rows[3] = torch.arange(33) - 16.5
    rows[4, 0], rows[4, 1:5] = 127, torch.tensor([0.5, 1.5, -0.5, -2.5])
    rows[5] *= 1e-41
    out = {"x": x, "rows": rows}
    for name, v in (("signed", x), ("unsigned", x.abs()), ("mixed", x)):
        table = F.create_dynamic_map(signed=name == "signed")
        q, scales = torch.ops.bitsandbytes.quantize_blockwise(v, table, 256)
        back = torch.ops.bitsandbytes.dequantize_blockwise(q, scales, table, 256, torch.float32)
        out.update({f"{name}.map": table, f"{name}.codes": q, f"{name}.absmax": scales, f"{name}.dequant": back})
    for name, dtype in FLOATS.items():
        q, scales, _ = torch.ops.bitsandbytes.int8_vectorwise_quant(rows.to(dtype))
        back = torch.ops.bitsandbytes.int8_vectorwise_dequant(q, scales)
        out.update({f"rows.{name}": rows.to(dtype), f"rows.{name}.q": q, f"rows.{name}.scales": scales, f"rows.{name}.dequant": back})
    # The grid: every point and the bounds between them, behind a one that sets the scale.
    points = torch.arange(65536, dtype=torch.float64)
    for name in ("signed", "unsigned"):
        table = F.create_dynamic_map(signed=name == "signed")
        for part, at in (("points", points / 32767.5 - 1), ("bounds", ((points + 0.5) / 32767.5 - 1)[:-1])):
            v = torch.cat([at.float(), torch.ones(-len(at) % 255)]).reshape(-1, 255)
            q, _ = torch.ops.bitsandbytes.quantize_blockwise(torch.cat([torch.ones(len(v), 1), v], 1), table, 256)
            out[f"{name}.{part}"] = q[:, 1:].flatten()[: len(at)]
    for name in ("signed.points", "signed.bounds", "unsigned.points", "unsigned.bounds"):
        out[name] = torch.bincount(out[name].int(), minlength=256).float()  # the codes never fall
    save("eight.safetensors", out)


def stored():
    out = {}
    for kind in ("nf4", "fp4"):
        for name, dtype in FLOATS.items():
            for double in (False, True):
                x = (randn(5, 26) * 10.0 ** (-6 if name == "f32" else 0)).to(dtype)
                layer = bnb.nn.Linear4bit(26, 5, bias=False, compress_statistics=double, quant_type=kind)
                layer.weight = bnb.nn.Params4bit(x, requires_grad=False, compress_statistics=double, quant_type=kind, module=layer)
                key = f"{kind}.{name}.{'dq' if double else 'sq'}"
                out[key + ".x"] = x
                out.update({f"{key}.{k}": v for k, v in layer.to("cpu").state_dict().items()})
    save("stored.safetensors", out)


def rows():
    out = {}
    for name, dtype in FLOATS.items():
        x = randn(5, 26).half().to(dtype)  # the layer rounds to float16 before it quantises
        x[3] = 0
        x[4] = 0.52734375 * torch.tensor([1, 0.5, -0.5] + 23 * [0.25])  # 127 times a half falls just below a tie
        layer = bnb.nn.Linear8bitLt(26, 5, bias=False, has_fp16_weights=False)
        layer.weight = bnb.nn.Int8Params(x, requires_grad=False)
        out[name + ".x"] = x
        out.update({f"{name}.{k}": v for k, v in layer.to("cpu").state_dict().items()})
    save("rows.safetensors", out)


def means():
    """Of the numbers (i·2654435761 mod 2^32)/2^32, rounded down to 24 bits."""
    x = (((torch.arange(1 << 20) * 2654435761) & 0xFFFFFFFF) >> 8).float() / (1 << 24)
    lengths = list(range(1, 300)) + [511, 512, 513, 1000, 4097, 8191, 8192, 8200, 9216, 65537, 131072, 131105, 300001, 1 << 20]
    json.dump({str(n): x[:n].mean().item() for n in lengths}, open(os.path.join(HERE, "mean.json"), "w"), indent=0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    four_bits(), eight_bits(), stored(), rows(), means()
