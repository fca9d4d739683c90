"""Files that are no model for the app: name -> content."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Iterator

import torch
from safetensors.torch import save

from vitdemo.config import ModelConfig
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import save_checkpoint

TINY = ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2, mlp_ratio=1.0)


def models(folder) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file."""
    path = folder / "whole.safetensors"
    save_checkpoint(path, VisionTransformer(TINY, seed=0), {"classes": list("abcdefghij")})
    whole = path.read_bytes()
    yield from pickles(folder / "executed")
    yield from lying_headers(whole)
    yield from other_metadata(whole)
    yield from other_weights()


def pickles(witness) -> Iterator[tuple[str, bytes]]:
    """Yield pickles that make a file if they are opened, and archives."""

    class Evil:
        def __reduce__(self):
            return open, (str(witness), "w")

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle {protocol}", pickle.dumps(Evil(), protocol)
    for new in (True, False):
        file = io.BytesIO()
        torch.save({"x": Evil()}, file, _use_new_zipfile_serialization=new)
        yield f"torch.save, zip: {new}", file.getvalue()
    for name in ("../../../../tmp/escaped", "/tmp/escaped", "data.pkl"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, pickle.dumps(Evil()))
        yield f"zip with {name}", file.getvalue()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * 50 * 2**20)
    yield "zip bomb", file.getvalue()


def with_header(header: bytes, tensors: bytes = b"", length: int | None = None) -> bytes:
    """Return a safetensors file with any header, and any stated length of it."""
    stated = len(header) if length is None else length
    return struct.pack("<Q", stated) + header + tensors


def lying_headers(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield files whose header is not what follows."""
    for part in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        yield f"cut after {part}", whole[:part]
    yield "longer", whole + b"\0" * 1000
    for length in (0, 1, 10**6, 2**31, 2**63, 2**64 - 1):
        yield f"header of {length}", with_header(b'{"x": 1}', length=length)
    yield "huge header", with_header(b" " * (5 * 2**20) + b"{}")
    yield (
        "header of a million keys",
        with_header(json.dumps({str(n): 0 for n in range(10**5)}).encode()),
    )
    for name, header in {
        "deep": b'{"x":' * 10_000,
        "no JSON": b"{no}",
        "list": b"[]",
        "number": b"1",
        "null bytes": b"{\0\0\0",
        "not UTF-8": b'{"\xff\xfe": 1}',
        "no tensors": b"{}",
    }.items():
        yield f"header: {name}", with_header(header)
    for name, tensor in {
        "negative shape": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        "huge shape": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]},
        "overflow": {"dtype": "F32", "shape": [2**63], "data_offsets": [0, 4]},
        "offsets back": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
        "offsets beyond": {"dtype": "F32", "shape": [1], "data_offsets": [0, 10**9]},
        "unknown kind": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]},
        "many dimensions": {"dtype": "F32", "shape": [1] * 10_000, "data_offsets": [0, 4]},
        "no numbers": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
    }.items():
        yield f"tensor: {name}", with_header(json.dumps({"w": tensor}).encode(), b"\0" * 4)


def other_metadata(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a checkpoint of the app with other metadata."""
    length = struct.unpack("<Q", whole[:8])[0]
    header, tensors = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    model = json.loads(header["__metadata__"]["model"])
    large = model | {"depth": 24, "embed_dim": 1024, "image_size": 256}
    surrogates = ["\ud800" + letter for letter in "abcdefghij"]
    for name, changes in {
        "deep model": {"model": "[" * 50_000},
        "long number": {"model": '{"depth": ' + "1" * 10_000 + "}"},
        "no model": {"model": "null"},
        "list": {"model": "[1]"},
        "infinity": {"model": '{"mlp_ratio": Infinity}'},
        "NaN": {"model": '{"mlp_ratio": NaN}'},
        "other depth": {"model": json.dumps(model | {"depth": 3})},
        "largest": {"model": json.dumps(large)},
        "unknown field": {"model": json.dumps(model | {"<script>": 1})},
        "deep card": {"card": "[" * 50_000},
        "long number in the card": {"card": '{"x": ' + "1" * 10_000 + "}"},
        "card of no mapping": {"card": "[]"},
        "classes of no list": {"card": '{"classes": {"a": 1}}'},
        "classes with surrogates": {"card": json.dumps({"classes": surrogates})},
        "few classes": {"card": '{"classes": ["a"]}'},
        "classes of lists": {"card": json.dumps({"classes": [[["x"]]] * 10})},
        "same classes": {"card": json.dumps({"classes": ["x"] * 10})},
        "invisible classes": {"card": json.dumps({"classes": ["\u202e" * n for n in range(10)]})},
        "other normalization": {"normalization": '{"mean": ["<b>"]}'},
        "deep normalization": {"normalization": "[" * 50_000},
    }.items():
        changed = header | {"__metadata__": header["__metadata__"] | changes}
        raw = json.dumps(changed).encode()
        yield f"metadata: {name}", with_header(raw + b" " * (-len(raw) % 8), tensors)


def other_weights() -> Iterator[tuple[str, bytes]]:
    """Yield checkpoints and plain ViTs whose numbers or shapes cannot be used."""
    for name, value in {"NaN": float("nan"), "infinity": float("inf")}.items():
        yield f"weights: {name}", changed(lambda tensor, value=value: tensor.fill_(value))
    for kind in (torch.float64, torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn):
        yield f"weights: {kind}", changed(lambda tensor, kind=kind: tensor.to(kind))
        yield f"plain ViT: {kind}", changed(lambda tensor, kind=kind: tensor.to(kind), ours=False)
    yield "weights: transposed", changed(lambda tensor: tensor.movedim(0, -1))
    yield "plain ViT: NaN", changed(lambda tensor: tensor.fill_(float("nan")), ours=False)
    yield "plain ViT: no numbers", changed(lambda tensor: tensor[:0], ours=False)
    yield "2,000 tensors", save({f"w{number}": torch.zeros(1) for number in range(2_000)})
    yield "other names", save({"<script>alert(1)</script>": torch.zeros(2), "../x": torch.zeros(2)})
    yield "name of a block", save({"blocks.999.attn.qkv.weight": torch.zeros(24, 8)})
    yield "name of many digits", save({f"blocks.{'9' * 5000}.norm1.weight": torch.zeros(8)})


def changed(change, ours: bool = True) -> bytes:
    """Return a file of a tiny model with each of its tensors changed."""
    model = VisionTransformer(TINY, seed=0)
    tensors = {name: change(tensor.detach().clone()) for name, tensor in model.state_dict().items()}
    header = {"model": json.dumps(vars(TINY)), "card": "{}"} if ours else {}
    return save({name: tensor.contiguous() for name, tensor in tensors.items()}, header)
