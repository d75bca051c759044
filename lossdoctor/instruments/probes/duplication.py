"""What becomes of every value where the batch holds every sample twice.

A mean over the samples stays what it is, a sum doubles. Fresh samples would blur that; copies do not. Costs a forward
of the first batch, which the probes share, one of twice its size, and where a value may have doubled one of three times
its size: a logarithm of the number of samples, as contrastive losses have it, doubles from two samples to four but does
not triple from two to six.
"""

from __future__ import annotations

from ...facts.probes import Duplication
from .made_batches import repeated
from .replay import Replay


def probe_duplication(replay: Replay) -> tuple[Duplication, ...]:
    """Return how the value of every component changes where the batch is duplicated along its first dimension.

    Raises NotApplicableError where a batch has no samples that could be told apart from the rest.
    """
    doubled = replay.on_batch(repeated(replay.batch, 2))
    grows = any(abs(doubled.get(key, 0.0)) > 1.5 * abs(value) > 0 for key, value in replay.values.items())
    tripled = replay.on_batch(repeated(replay.batch, 3)) if grows else {}
    return tuple(
        Duplication(objective, name, value, doubled.get((objective, name)), tripled.get((objective, name)))
        for (objective, name), value in replay.values.items()
    )
