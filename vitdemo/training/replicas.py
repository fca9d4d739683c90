"""Data parallelism within one process: threads compute the gradients of a batch's shards.

Two threads with half a batch each are faster than torch's own two threads, which split every single
matrix multiplication: they wait for each other once per step instead of once per operation. The
shards depend on the batch size alone, so a run may continue on more or fewer threads.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import TrainConfig
from ..data.cifar10 import Split
from ..model import VisionTransformer
from .augmentation import augment
from .precision import working_precision

SMALLEST_SHARD, LARGEST_SHARD = 8, 64  # images; smaller shards cost more than they save


class Replicas:
    """Replicas of a model that share its weights, and threads that compute their gradients.

    There are as many threads as torch uses on the calling thread; leaving the `with` block ends
    them.

    Args:
        model: the model to train, the first of the replicas.
        config: the recipe.
    """

    def __init__(self, model: VisionTransformer, config: TrainConfig):
        self.config = config
        self.precision = working_precision(config)
        copies = shards_of(config.batch_size) - 1
        self.models = [model, *(replica_of(model) for _ in range(copies))]
        self._start_threads()

    def __enter__(self) -> "Replicas":
        return self

    def __exit__(self, *_) -> None:
        self.pool.shutdown(cancel_futures=True)

    def _start_threads(self) -> None:
        self.threads = torch.get_num_threads()
        self.workers = min(self.threads, len(self.models))
        threads_each = self.threads // self.workers
        self.pool = ThreadPoolExecutor(
            self.workers, "replica", torch.set_num_threads, (threads_each,)
        )

    def begin_epoch(self, epoch: int) -> torch.Generator:
        """Seed all random numbers of the epoch, and use as many threads as torch does now.

        They depend only on the seed of the recipe and the epoch, so that a resumed run draws the
        same numbers.

        Returns:
            The generator for the order of the epoch's images.
        """
        if self.threads != torch.get_num_threads():
            self.pool.shutdown()
            self._start_threads()
        for shard, model in enumerate(self.models, start=1):
            model.generator.manual_seed(_seed(self.config.seed, epoch, shard))
        return torch.Generator().manual_seed(_seed(self.config.seed, epoch, 0))

    def gradients(self, batch: Split) -> tuple[float, Tensor]:
        """Compute the gradient of the batch's mean loss, into the `grad` of the model's weights.

        Returns:
            The loss, and the logits (B, num_classes) of the augmented images.
        """
        size = len(batch)
        shards = torch.arange(size).chunk(len(self.models))  # fewer for a small last batch
        pairs = list(zip(self.models, shards, strict=False))
        work = [
            self.pool.submit(self.shard_gradients, model, batch[shard], size)
            for model, shard in pairs
        ]
        losses, logits = zip(*(future.result() for future in work), strict=True)
        for replica, _ in pairs[1:]:
            for mine, its in zip(self.models[0].parameters(), replica.parameters(), strict=True):
                mine.grad += its.grad
        return sum(losses), torch.cat(logits)

    def shard_gradients(
        self, model: VisionTransformer, shard: Split, size: int
    ) -> tuple[float, Tensor]:
        """Return a shard's part of the batch's mean loss, and its logits; compute the gradient."""
        model.train()
        images, targets = augment(
            shard.images, shard.labels, model.config.num_classes, self.config, model.generator
        )
        with self._autocast():
            logits = model(images).float()
        smoothing = self.config.label_smoothing
        loss = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum") / size
        model.zero_grad()
        loss.backward()
        return loss.item(), logits.detach()

    def _autocast(self) -> torch.autocast:
        # autocast's cache of converted weights would be shared by all threads of the process.
        return torch.autocast(
            "cpu", torch.bfloat16, enabled=self.precision == "bfloat16", cache_enabled=False
        )


def shards_of(batch_size: int) -> int:
    """Return the number of shards of a batch: two, more for large batches, one for tiny ones."""
    if batch_size < 2 * SMALLEST_SHARD:
        return 1
    return max(2, math.ceil(batch_size / LARGEST_SHARD))


def replica_of(model: VisionTransformer) -> VisionTransformer:
    """Return a model that shares the weights, with gradients and a generator of its own."""
    replica = VisionTransformer(model.config, seed=0)
    for mine, its in zip(replica.parameters(), model.parameters(), strict=True):
        mine.data = its.data
    return replica


def _seed(seed: int, epoch: int, shard: int) -> int:
    # Different for all, as there are fewer than 1,000 shards and 10,000 epochs.
    return (seed * 1_000 + shard) * 10_000 + epoch
