"""Short training runs: whether the loss does its job, component by component.

`loop.py` is the one training loop. `overfit.py` feeds it one batch again and again, `train.py` a data set; what they
need beside it has a module each.
"""
