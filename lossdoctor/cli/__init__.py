"""The command line: parse, call one library function, show what it returns, exit.

A command is a module of this package, imported below; what it needs that is heavy, it imports when it runs: `--help`,
`rule` and `schema` answer in a moment.
"""

# In the order in which `--help` lists them.
from . import inspect, overfit_batch, train, check, fix, rule, init, schema  # noqa: F401, I001
from .app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    app()
