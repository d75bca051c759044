"""Checkpoints in the forms that people have, matched to a model; nothing is ever unpickled.

`formats.py` tells by its content what a file is, `read.py` reads it (`refusal.py` where only unpickling
could), `state_dicts.py` finds the state dict in it, `prefixes.py` matches its names to the model's,
`copying.py` copies the tensors, `load.py` does all this in turn and writes down what did not fit (`near.py`:
renamed tensors).
"""

from .load import load_checkpoint
from .read import read_checkpoint

__all__ = ["load_checkpoint", "read_checkpoint"]
