"""Run the probes over a setup."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import LossDoctorError
from ...progress import OnProgress
from ...setup.build import Setup
from ...setup.preserve import preserved
from ...setup.user_code import blaming
from .dependence import probe_dependence, watch_entrances
from .directions import probe_directions
from .duplication import probe_duplication
from .edges import probe_edges
from .half_precision import probe_half_precision
from .loss_side import probe_loss_side, watch_loss_side
from .optima import probe_optima
from .padding import probe_padding
from .replay import Replay, Watch
from .teachers import watch_softmaxes
from .tiling import probe_tiling
from .totals import probe_totals

#: Every probe, by the field of `Examination` that holds its facts. A new probe is a module and a line here.
PROBES: Mapping[str, Callable[[Replay], Any]] = {
    "duplications": probe_duplication,
    "tilings": probe_tiling,
    "edges": probe_edges,
    "half_precision": probe_half_precision,
    "totals": probe_totals,
    "directions": probe_directions,
    "optima": probe_optima,
    "dependences": probe_dependence,
    "waverings": probe_loss_side,
    "paddings": probe_padding,
}

#: What the probes want to see of the loss as it is.
WATCHES: tuple[Watch[Any], ...] = (watch_entrances, watch_softmaxes, watch_loss_side)


def run_probes(setup: Setup, skipped: dict[str, str], on_progress: OnProgress) -> dict[str, Any]:
    """Return the facts of every probe by field, on the first batch; None, with the reason in `skipped`, for the others.

    Every probe leaves the model, its gradients, buffers and modes, and all random generators as they were.
    """
    facts: dict[str, Any] = {}
    replay = Replay(setup, watches=WATCHES)
    for step, (field, probe) in enumerate(PROBES.items()):
        on_progress("probing", step, len(PROBES))
        try:
            with preserved(setup.model), warnings.catch_warnings(), blaming("probing with a made-up batch or output"):
                warnings.simplefilter("ignore")  # the user's code may well wonder at what is made up
                facts[field] = probe(replay)
        except LossDoctorError as error:
            skipped[field] = error.message
    on_progress("probing", len(PROBES), len(PROBES))
    return facts
