"""SimpNet V2 row by row, as the paper's table prints it."""

import math

from worker.model.architecture import INPUT_SIZE
from worker.model.simpnet import build


def summary() -> str:
    """Layer, output shape, filters and parameters of each row; the totals at the end."""
    model = build(input_size=INPUT_SIZE)
    lines = [f"{'layer':<14}{'output':<18}{'filters':>8}{'parameters':>13}"]
    for layer in model.layers:
        shape = layer.output.shape[1:]
        filters = f"{layer.filters}" if hasattr(layer, "filters") else ""
        size = "x".join(map(str, shape))
        lines.append(f"{layer.name:<14}{size:<18}{filters:>8}{layer.count_params():>13,}")
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    total = model.count_params()
    lines += [
        f"total {total:,}",
        f"trainable {trainable:,}",
        f"not trainable {total - trainable:,}",
    ]
    return "\n".join(lines)
