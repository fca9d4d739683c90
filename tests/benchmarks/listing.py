"""The annotation's listing, with all that its loop does: written afresh, each operation of the same kind and number.

Sections 1.3.1, 1.4.1 (model) and 1.5.1 to 1.5.3 (loop). What costs: each image opened as a PIL picture and turned into
a normalized tensor one by one, in two processes that are started anew every epoch; seven running metrics updated after
every batch; dropout on the attention weights; Adam without fusing; 32-bit floats throughout. The evaluation's picture
of the attention is not drawn.
"""

import time
from collections.abc import Iterator

import torch
import torchvision.transforms as to
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics import classification as tm

from vitdemo.data.cifar10 import Data, Split

BATCH = 128


class ListedAttention(nn.Module):
    """One linear layer for Q, K and V of all heads; scores over the root of the whole width; dropout on the weights."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.scale = heads, width**-0.5
        self.to_qkv, self.drop, self.out = (
            nn.Linear(width, 3 * width),
            nn.Dropout(0.1),
            nn.Linear(width, width),
        )
        self.seen = None  # the listing keeps the last weights for its picture

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        q, k, v = self.to_qkv(x).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        self.seen = torch.softmax((q @ k.transpose(-2, -1)) * self.scale, dim=-1)
        return self.out((self.drop(self.seen) @ v).transpose(1, 2).reshape(B, T, D))


class ListedBlock(nn.Module):
    """Pre-norm; dropout modules of rate 0 stay in, as printed."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.before_attention, self.attention, self.drop = (
            nn.LayerNorm(width),
            ListedAttention(width, heads),
            nn.Dropout(0),
        )
        self.before_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.before_attention(x)))
        return x + self.mlp(self.before_mlp(x))


class ListedTransformer(nn.Module):
    """A convolution cuts and projects the patches; CLS goes before them and names the class."""

    def __init__(self, heads: int, width: int = 64, depth: int = 7):
        super().__init__()
        self.cut = nn.Conv2d(3, width, 4, stride=4)
        self.cls = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 65, width))
        self.blocks = nn.Sequential(*(ListedBlock(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.cut(images).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(len(x), -1, -1), x), dim=1)
        x += self.positions
        return self.head(self.norm(self.blocks(x)[:, 0]))


class Photographs(Dataset):
    """As torchvision's CIFAR10 hands them out: an array, a PIL picture, the transforms."""

    def __init__(self, split: Split):
        self.arrays = split.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = split.labels.tolist()
        self.transform = to.Compose([to.ToTensor(), to.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def loader(split: Split, shuffle: bool) -> DataLoader:
    """Two worker processes, as printed."""
    return DataLoader(Photographs(split), batch_size=BATCH, shuffle=shuffle, num_workers=2)


def running_metrics() -> dict[str, tm.MulticlassAccuracy]:
    """All seven; AUROC alone is fed probabilities, top-1 and top-5 logits, the others the class said."""
    weighted = {"num_classes": 10, "average": "weighted"}
    return {
        "accuracy": tm.MulticlassAccuracy(10, average="micro"),
        "auroc": tm.MulticlassAUROC(10),
        "f1": tm.MulticlassF1Score(**weighted),
        "precision": tm.MulticlassPrecision(**weighted),
        "recall": tm.MulticlassRecall(**weighted),
        "top1": tm.MulticlassAccuracy(10, average="micro", top_k=1),
        "top5": tm.MulticlassAccuracy(10, average="micro", top_k=5),
    }


def adam(model: nn.Module) -> torch.optim.Optimizer:
    """With the decay of 0.1 as L2."""
    return torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=0.1)


def one_pass(
    model: nn.Module, images: DataLoader, optimizer: torch.optim.Optimizer | None, autocast: bool
) -> float:
    """Train on every image once, or without an optimizer evaluate; the seconds that it took, from first to last line."""
    started = time.perf_counter()
    model.train(optimizer is not None)
    metrics, criterion, total = running_metrics(), nn.CrossEntropyLoss(), 0.0
    with torch.set_grad_enabled(optimizer is not None):
        for pictures, labels in images:
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                outputs = model(pictures)
            outputs = outputs.float()
            loss = criterion(outputs, labels)
            if optimizer:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item()
            outputs = outputs.detach()
            fed = {"auroc": outputs.softmax(dim=1), "top1": outputs, "top5": outputs}
            said = outputs.argmax(dim=1)
            for name, metric in metrics.items():
                metric.update(fed.get(name, said), labels)
    _ = total / len(images), [metric.compute().item() for metric in metrics.values()]
    return time.perf_counter() - started


def loop(heads: int, data: Data, autocast: bool) -> Iterator[tuple[float, float]]:
    """Each epoch: images a second of its training pass, and of all of it, evaluation included."""
    model = ListedTransformer(heads)
    optimizer = adam(model)
    training, validation = loader(data.train, True), loader(data.validation, False)
    while True:
        seconds = one_pass(model, training, optimizer, autocast)
        evaluated = seconds + one_pass(model, validation, None, autocast)
        yield len(data.train) / seconds, len(data.train) / evaluated
