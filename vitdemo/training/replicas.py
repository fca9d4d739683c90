"""How one training step is shared among cores: a batch is cut into parts, and threads compute the gradient of each.

Two threads with half a batch each are quicker than one whose every product is split in two: the halves meet once a
step instead of at each operation. The cut depends on the batch alone, so that a training may go on with more threads or
fewer, as others come and go, and its numbers stay the same.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import TrainConfig
from ..data.cifar10 import Split, normalise
from ..model import VisionTransformer
from .augmentation import augment
from .precision import working_precision

SMALLEST_PART, LARGEST_PART = 8, 64  # images; a smaller one costs more to hand out than it saves


class Workers:
    """As many threads as the calling thread has torch threads; leave its `with` block to end them.

    Args:
        model: whose gradient is wanted.
        config: the recipe.
    """

    def __init__(self, model: VisionTransformer, config: TrainConfig):
        self.config = config
        self.dtype = working_precision(config)
        self.twins = [model, *(twin_of(model) for _ in range(parts_of(config.batch_size) - 1))]
        self._begin_threads()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_) -> None:
        self.pool.shutdown(cancel_futures=True)

    def _begin_threads(self) -> None:
        self.threads = torch.get_num_threads()
        workers = min(self.threads, len(self.twins))
        self.pool = ThreadPoolExecutor(workers, "worker", torch.set_num_threads, (self.threads // workers,))

    def begin_epoch(self, epoch: int) -> torch.Generator:
        """Take as many threads as there are now, and seed all chance of the epoch, so that a resumed training draws the same.

        Returns:
            what orders the epoch's images.
        """
        if self.threads != torch.get_num_threads():
            self.pool.shutdown()
            self._begin_threads()
        for part, twin in enumerate(self.twins, start=1):
            twin.generator.manual_seed(_seed(self.config.seed, epoch, part))
        return torch.Generator().manual_seed(_seed(self.config.seed, epoch, 0))

    def gradients(self, batch: Split) -> tuple[float, Tensor]:
        """Put the gradient of the batch's mean loss into the model.

        Returns:
            that loss, and the logits (B, num_classes) of the images as they were seen.
        """
        size = len(batch)
        indices = torch.arange(size).chunk(len(self.twins))
        pairs = list(zip(self.twins, indices, strict=False))  # a last small batch may not be enough for all
        work = [self.pool.submit(self._part, twin, batch[chosen], size) for twin, chosen in pairs]
        losses, logits = zip(*(future.result() for future in work), strict=True)
        for twin, _ in pairs[1:]:
            for mine, its in zip(self.twins[0].parameters(), twin.parameters(), strict=True):
                mine.grad += its.grad
        return sum(losses), torch.cat(logits)

    def _part(self, twin: VisionTransformer, part: Split, size: int) -> tuple[float, Tensor]:
        twin.train()
        images, targets = augment(part.images, part.labels, twin.config.num_classes, self.config, twin.generator)
        with self._autocast():
            logits = twin(images).float()
        loss = F.cross_entropy(logits, targets, label_smoothing=self.config.label_smoothing, reduction="sum") / size
        twin.zero_grad()
        loss.backward()
        return loss.item(), logits.detach()

    def predict(self, model: VisionTransformer, split: Split, batch_size: int) -> Iterator[Tensor]:
        """The model's logits (B, num_classes), batch by batch in order, dropout off, in 32-bit floats (section 1.5.3)."""

        @torch.inference_mode()
        def logits(start: int) -> Tensor:
            return model(normalise(split.images[start : start + batch_size]))

        model.eval()
        yield from self.pool.map(logits, range(0, len(split), batch_size))

    def _autocast(self) -> torch.autocast:
        # Without its cache of converted weights, which all threads of the process would share.
        return torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == torch.bfloat16, cache_enabled=False)


def parts_of(batch_size: int) -> int:
    """Into how many parts a batch is cut: two, or more where those would be large, or none where they would be tiny."""
    return 1 if batch_size < 2 * SMALLEST_PART else max(2, math.ceil(batch_size / LARGEST_PART))


def twin_of(model: VisionTransformer) -> VisionTransformer:
    """A model in the same memory, so it always has the same weights, but with its own gradients and its own chance."""
    twin = VisionTransformer(model.config, seed=0)
    for mine, its in zip(twin.parameters(), model.parameters(), strict=True):
        mine.data = its.data
    return twin


def _seed(seed: int, epoch: int, part: int) -> int:
    return (seed * 1_000 + part) * 10_000 + epoch  # fewer than 1,000 parts and 10,000 epochs: no two are alike
