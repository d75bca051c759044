"""Running code that belongs to the user: importing it, calling it, and saying whose fault an exception is."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import LossDoctorError, UserCodeError
from ..records import Location

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Put a config's folder first on `sys.path`, and take it and the modules imported from it away again.

    The folder's modules are forgotten afterwards, so that two configs in one process may each have a `train.py`.
    torch, kornia and torchvision are imported first: no file of the user's can shadow them.
    """
    import kornia  # noqa: F401
    import torchvision  # noqa: F401

    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]


def import_target(target: str, key: str) -> Callable[..., Any]:
    """Return the callable that `module:callable` names. `key` is the config key, for the message.

    Raises UserCodeError when the module cannot be imported or has no such callable.
    """
    module_name, _, attribute = target.partition(":")
    with blaming(f"importing {key}"):
        try:
            value: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
                raise
            message = f"{key}: there is no module {error.name!r}"
            raise UserCodeError(
                message,
                "Targets are looked for beside the config file first, then among the installed packages.",
            ) from error
    for part in attribute.split("."):
        if not hasattr(value, part):
            near = difflib.get_close_matches(part, dir(value), n=1)
            message = f"{key}: {module_name} has no {part!r}"
            raise UserCodeError(message, f"Did you mean {near[0]!r}?" if near else "Check the name after the colon.")
        value = getattr(value, part)
    if not callable(value):
        message = f"{key}: {target} is {type(value).__name__}, not something that can be called"
        raise UserCodeError(message, "Name a function or a class.")
    return value  # type: ignore[no-any-return]


@contextlib.contextmanager
def blaming(action: str) -> Iterator[None]:
    """Turn whatever user code raises into a UserCodeError that says what it was doing and which line of it failed."""
    try:
        yield
    except (LossDoctorError, KeyboardInterrupt):
        raise
    except MemoryError as error:
        message = f"{action}: out of memory"
        raise UserCodeError(message, "Use a smaller batch size, image size or model, or fewer batches.") from error
    except BaseException as error:
        raise _blamed(action, error) from error


def _blamed(action: str, error: BaseException) -> UserCodeError:
    frames = traceback.extract_tb(error.__traceback__)
    place = next((frame for frame in reversed(frames) if is_user_file(frame.filename)), None)
    where = f" at {place.filename}:{place.lineno}" if place else ""
    text = str(error).strip().split("\n\n")[0] or "no message"
    if type(error).__name__ == "OutOfMemoryError":
        return UserCodeError(f"{action}: out of memory on the device", "Use a smaller batch size or --device cpu.")
    return UserCodeError(
        f"{action}: {type(error).__name__}{where}: {text}", "Run again with --traceback to see all of it."
    )


def is_user_file(filename: str) -> bool:
    """Return whether a source file is the user's own: neither lossdoctor's, nor the standard library's, nor installed."""
    if filename.startswith("<"):
        return False
    path = Path(filename)
    return not path.is_relative_to(_PACKAGE) and not filename.startswith(_LIBRARIES)


def calling_line() -> Location | None:
    """Return the innermost line of the user's own source on the stack, None where there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        if is_user_file(frame.f_code.co_filename):
            return Location(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None
