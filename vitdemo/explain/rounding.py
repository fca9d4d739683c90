"""Can the numbers of a map be told apart? Rounding errors are removed before anybody sees a map."""

import torch
from torch import Tensor

# Largest rounding error of a map, in machine epsilons of the numbers that it was computed from.
# The float32 maps of the shipped models differ from their float64 maps by up to 21.
ROUNDING = 256
ROUNDED = ROUNDING * torch.finfo(torch.float32).eps  # the same of a float32 probability: 0.00003


def without_noise(maps: Tensor, size: float | None = None) -> Tensor:
    """Replace each map that is uniform up to rounding by its mean, or by 0 if that is 0 as well.

    Then neither a color scale nor a ranking of patches can turn rounding errors into a pattern.

    Args:
        maps: (..., n, n) of floating-point numbers.
        size: magnitude of the numbers that the maps were computed from, such as 1 for differences
            of probabilities; None for the largest magnitude in each map itself.

    Returns:
        (..., n, n), in which all other maps are as before.
    """
    epsilon, whole = torch.finfo(maps.dtype).eps, {"dim": (-2, -1), "keepdim": True}
    floor = ROUNDING * epsilon * (maps.abs().amax(**whole) if size is None else size)
    mean = maps.mean(**whole)
    mean = mean.where(mean.abs() > floor, 0.0)
    uniform = maps.amax(**whole) - maps.amin(**whole) <= floor
    return torch.where(uniform, mean, maps)
