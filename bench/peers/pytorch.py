"""PyTorch as a participant (see bench/child.ts): python3 pytorch.py cpu|cuda eager|compiled fp32|tf32|bf16 SHAPE

GPT-2 as nanoGPT writes it, AdamW (0.9, 0.99), clipping at 1. `python3 pytorch.py about` prints what is installed.
"""

import json
import math
import os
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

# Debian's build starts with one thread wherever it is; others know the cores.
if torch.get_num_threads() == 1:
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())

VERSION = tuple(int(part) for part in torch.__version__.split(".")[:2])


def about():
    found = {"version": torch.__version__, "major": VERSION[0], "threads": torch.get_num_threads(), "card": None}
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found["card"] = {
            "name": properties.name,
            "multiprocessors": properties.multi_processor_count,
            # Of PyTorch 2.7 and later: kHz and bits.
            "memoryClockKHz": getattr(properties, "memory_clock_rate", None),
            "memoryBusBits": getattr(properties, "memory_bus_width", None),
        }
    return found


class Attention(nn.Module):
    def __init__(self, channels, heads, context):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.projection = nn.Linear(channels, channels)
        self.register_buffer("mask", torch.tril(torch.ones(context, context)).bool(), persistent=False)

    def forward(self, x):  # (B, T, C)
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, -1).transpose(1, 2) for part in self.qkv(x).split(C, dim=2))
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1))
            y = F.softmax(scores.masked_fill(~self.mask[:T, :T], float("-inf")), dim=-1) @ v
        return self.projection(y.transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    def __init__(self, channels, heads, context):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = Attention(channels, heads, context)
        self.norm2 = nn.LayerNorm(channels)
        self.up = nn.Linear(channels, 4 * channels)
        self.down = nn.Linear(4 * channels, channels)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT2(nn.Module):
    def __init__(self, layers, heads, channels, context, vocabulary, **_):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, channels)
        self.positions = nn.Parameter(torch.empty(context, channels))
        self.blocks = nn.ModuleList(Block(channels, heads, context) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, inputs, targets):
        x = self.tokens(inputs) + self.positions
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)  # the head is tied
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def main(device, mode, precision, shape):
    shape = json.loads(shape)
    torch.manual_seed(1337)
    # TF32 is PyTorch's word for f32 products on tensor cores; the last bit of fp32 needs it off.
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    model = GPT2(**shape).to(device)
    decayed = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    others = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    fused = {"fused": True} if device == "cuda" and VERSION >= (2, 0) else {}
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), **fused)
    size = (shape["batch"], shape["context"])
    inputs, targets = (torch.randint(shape["vocabulary"], size, device=device) for _ in range(2))
    forward = torch.compile(model) if mode == "compiled" else model
    mixed = torch.autocast(device_type=device, dtype=torch.bfloat16, enabled=precision == "bf16")

    def step():
        with mixed:
            loss = forward(inputs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    threads = f", {torch.get_num_threads()} threads" if device == "cpu" else ""
    answer({"ready": f"PyTorch {torch.__version__}, {device} {precision} {mode}{threads}"})
    for line in sys.stdin:
        steps = json.loads(line)["steps"]
        start = time.perf_counter()
        for _ in range(steps):
            loss = step()
        value = loss.item()  # waits for the loss; the update behind it needs another wait
        if device == "cuda":
            torch.cuda.synchronize()
        answer({"elapsedMs": 1000 * (time.perf_counter() - start), "loss": value})


def answer(message):
    print(json.dumps(message), flush=True)


if sys.argv[1] == "about":
    answer(about())
else:
    main(*sys.argv[1:])
