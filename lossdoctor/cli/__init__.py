"""The command line: parse, call one library function, show what it returns, exit.

A command is a module of this package, imported below; what it needs that is heavy, it imports when it runs: `--help`,
`rule` and `schema` answer in a moment.
"""

import gc  # noqa: I001 - commands in the order in which `--help` lists them

from . import inspect, overfit_batch, train, check, fix, rule, init, schema  # noqa: F401
from .app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    try:
        app()
    finally:
        gc.freeze()  # a process that ends need not look for garbage in all of torch: that takes half a second
