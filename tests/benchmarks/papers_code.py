"""The paper's code with all that its training loop does, to compare its speed with ours.

Written anew from sections 1.3.1 and 1.4.1 (model) and 1.5.1 to 1.5.3 (loop), with operations of the
same kind and number. Where the time goes: each image is opened with PIL and becomes a normalized
tensor on its own, in two worker processes that start anew in every epoch; seven running metrics are
updated after every batch; dropout on the attention weights; Adam without fusing; float32
everywhere. The attention map that the paper's evaluation draws is left out.
"""

import time
from collections.abc import Iterator

import torch
import torchvision.transforms as transforms
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics import classification as tm

from vitdemo.data.cifar10 import Data, Split

BATCH = 128


class Attention(nn.Module):
    """One linear layer for Q, K and V; scores over sqrt(embed_dim); dropout on the weights."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.scale = width**-0.5
        self.to_qkv = nn.Linear(width, 3 * width)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(width, width)
        self.weights = None  # the paper's code keeps the last ones to draw them

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        q, k, v = self.to_qkv(x).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        self.weights = torch.softmax((q @ k.transpose(-2, -1)) * self.scale, dim=-1)
        return self.out((self.drop(self.weights) @ v).transpose(1, 2).reshape(B, T, D))


class Block(nn.Module):
    """A pre-norm block. The paper's dropout modules of rate 0 are kept."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.drop = nn.Dropout(0)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.mlp(self.norm2(x))


class PapersTransformer(nn.Module):
    """Patches by a convolution, a CLS token before them, and a head that reads CLS."""

    def __init__(self, heads: int, width: int = 64, depth: int = 7):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 4, stride=4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 65, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), dim=1)
        x += self.pos_embed
        return self.head(self.norm(self.blocks(x)[:, 0]))


class Photographs(Dataset):
    """The images as torchvision's CIFAR10 returns them: from an array through PIL to a tensor."""

    def __init__(self, split: Split):
        self.arrays = split.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = split.labels.tolist()
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def loader(split: Split, shuffle: bool) -> DataLoader:
    """Return the paper's loader, with two worker processes."""
    return DataLoader(Photographs(split), batch_size=BATCH, shuffle=shuffle, num_workers=2)


def running_metrics() -> dict[str, tm.MulticlassAccuracy]:
    """Return the paper's seven metrics.

    AUROC is updated with probabilities, top-1 and top-5 with logits, the others with the predicted
    class.
    """
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
    """Return the paper's optimizer: Adam with a weight decay of 0.1 as L2."""
    return torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=0.1)


def run_pass(
    model: nn.Module, images: DataLoader, optimizer: torch.optim.Optimizer | None, autocast: bool
) -> float:
    """Train on every image once, or evaluate if there is no optimizer; return the seconds."""
    started = time.perf_counter()
    model.train(optimizer is not None)
    metrics, criterion, total = running_metrics(), nn.CrossEntropyLoss(), 0.0
    with torch.set_grad_enabled(optimizer is not None):
        for batch, labels in images:
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                outputs = model(batch)
            outputs = outputs.float()
            loss = criterion(outputs, labels)
            if optimizer:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item()
            outputs = outputs.detach()
            inputs = {"auroc": outputs.softmax(dim=1), "top1": outputs, "top5": outputs}
            predicted = outputs.argmax(dim=1)
            for name, metric in metrics.items():
                metric.update(inputs.get(name, predicted), labels)
    _ = total / len(images), [metric.compute().item() for metric in metrics.values()]
    return time.perf_counter() - started


def run_epochs(heads: int, data: Data, autocast: bool) -> Iterator[tuple[float, float]]:
    """Train without end.

    Yields:
        for each epoch, images per second of its training pass, and of training pass and evaluation.
    """
    model = PapersTransformer(heads)
    optimizer = adam(model)
    training, validation = loader(data.train, True), loader(data.validation, False)
    while True:
        trained = run_pass(model, training, optimizer, autocast)
        evaluated = trained + run_pass(model, validation, None, autocast)
        yield len(data.train) / trained, len(data.train) / evaluated
