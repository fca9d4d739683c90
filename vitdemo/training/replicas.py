"""One training step shared among cores: a batch is cut into shards, and threads compute the gradient of each.

Data parallelism within one process. Two threads with half a batch each are faster than one whose every matrix
multiplication is split in two: the halves meet once a step instead of at each operation. How a batch is cut depends on
its size alone, so that a run may continue on more or fewer threads.
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

SMALLEST_SHARD, LARGEST_SHARD = 8, 64  # images; a smaller one costs more to hand out than it saves


class Replicas:
    """Copies of a model that share its weights, and as many threads as torch uses on the calling thread.

    Leave its `with` block to end the threads.

    Args:
        model: the one that is trained.
        config: the recipe.
    """

    def __init__(self, model: VisionTransformer, config: TrainConfig):
        self.config = config
        self.dtype = working_precision(config)
        self.models = [model, *(replica_of(model) for _ in range(shards_of(config.batch_size) - 1))]
        self._start_threads()

    def __enter__(self) -> "Replicas":
        return self

    def __exit__(self, *_) -> None:
        self.pool.shutdown(cancel_futures=True)

    def _start_threads(self) -> None:
        self.threads = torch.get_num_threads()
        workers = min(self.threads, len(self.models))
        self.pool = ThreadPoolExecutor(
            workers, "replica", torch.set_num_threads, (self.threads // workers,)
        )

    def begin_epoch(self, epoch: int) -> torch.Generator:
        """Seed everything random in the epoch, so that a resumed run draws the same, and take the threads there are now.

        Returns:
            The generator that orders the epoch's images.
        """
        if self.threads != torch.get_num_threads():
            self.pool.shutdown()
            self._start_threads()
        for shard, model in enumerate(self.models, start=1):
            model.generator.manual_seed(_seed(self.config.seed, epoch, shard))
        return torch.Generator().manual_seed(_seed(self.config.seed, epoch, 0))

    def gradients(self, batch: Split) -> tuple[float, Tensor]:
        """Put the gradient of the batch's mean loss into the model.

        Returns:
            That loss, and the logits (B, num_classes) of the images as they were seen.
        """
        size = len(batch)
        shards = torch.arange(size).chunk(len(self.models))
        pairs = list(
            zip(self.models, shards, strict=False)
        )  # a last small batch may have fewer shards
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
        """Add up the loss of a shard, over the size of the whole batch, and compute its gradient."""
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
        # Without its cache of converted weights, which all threads of the process would share.
        return torch.autocast(
            "cpu", torch.bfloat16, enabled=self.dtype == torch.bfloat16, cache_enabled=False
        )


def shards_of(batch_size: int) -> int:
    """Return into how many shards a batch is cut: two, more where those would be large, one where they would be tiny."""
    if batch_size < 2 * SMALLEST_SHARD:
        return 1
    return max(2, math.ceil(batch_size / LARGEST_SHARD))


def replica_of(model: VisionTransformer) -> VisionTransformer:
    """Return a model that shares the weights in memory, but has gradients and a random generator of its own."""
    replica = VisionTransformer(model.config, seed=0)
    for mine, its in zip(replica.parameters(), model.parameters(), strict=True):
        mine.data = its.data
    return replica


def _seed(seed: int, epoch: int, shard: int) -> int:
    return (
        seed * 1_000 + shard
    ) * 10_000 + epoch  # fewer than 1,000 shards and 10,000 epochs: all differ
