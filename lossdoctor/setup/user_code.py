"""Running code that belongs to the user: importing it, calling it, and saying whose fault an exception is."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ..config.suggest import did_you_mean
from ..errors import LossDoctorError, UserCodeError
from ..records import Location

_PACKAGE = Path(__file__).parents[1]
#: Where nothing is the user's own. Paths on the stack may go through a symbolic link or not.
_NOT_USERS = tuple(
    path
    for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    for path in {Path(sysconfig.get_path(name)), Path(sysconfig.get_path(name)).resolve()}
)


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Put a config's folder first on `sys.path`, and take it and the modules imported from it away again.

    The folder's modules are forgotten afterwards, so that two configs in one process may each have a `train.py`, and no
    bytecode is written beside them. torch, kornia and torchvision are imported first: no file of the user's can shadow
    them.
    """
    import kornia  # noqa: F401
    import torchvision  # noqa: F401

    folder = folder.resolve()
    before, writes_no_bytecode = set(sys.modules), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_no_bytecode
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if _belongs_to(sys.modules[name], folder):
                del sys.modules[name]


def _belongs_to(module: ModuleType, folder: Path) -> bool:
    """Return whether a module is the user's own and lies in a folder."""
    # A package without `__init__.py` has no file, only a path.
    file = getattr(module, "__file__", None)
    places = [file] if file else list(getattr(module, "__path__", ()))
    return any(Path(place).is_relative_to(folder) and is_user_file(place) for place in places)


def import_target(target: str, key: str) -> Callable[..., Any]:
    """Return the callable that `module:callable` names. `key` is the config key, for the message.

    Raises UserCodeError when the module cannot be imported or has no such callable.
    """
    module_name, _, attribute = target.partition(":")
    with blaming(f"importing {key}"):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
                raise
            message = f"{key}: there is no module {error.name!r}"
            raise UserCodeError(
                message,
                "Targets are looked for beside the config file first, then among the installed packages.",
            ) from error
        value: Any = module
        for part in attribute.split("."):
            if not hasattr(value, part):
                # The file shows at once where a module of the same name came first.
                message = f"{key}: {module_name} ({getattr(module, '__file__', 'built in')}) has no {part!r}"
                raise UserCodeError(message, did_you_mean(part, dir(value)) or "check the name after the colon")
            value = getattr(value, part)
    if not callable(value):
        message = f"{key}: {target} is {type(value).__name__}, not something that can be called"
        raise UserCodeError(message, "Name a function or a class.")
    return value  # type: ignore[no-any-return]


@contextlib.contextmanager
def blaming(action: str, known: Mapping[str, tuple[str, str]] | None = None) -> Iterator[None]:
    """Turn whatever user code raises into a UserCodeError that says what it was doing and which line of it failed.

    `known` says better what some exceptions mean: words of their text -> (what is wrong, what to do).
    """
    try:
        yield
    except (LossDoctorError, KeyboardInterrupt):
        raise
    except MemoryError as error:
        message = f"{action}: out of memory"
        raise UserCodeError(message, "Use a smaller batch size, image size or model, or fewer batches.") from error
    except BaseException as error:
        raise _blamed(action, error, known or {}) from error


def _blamed(action: str, error: BaseException, known: Mapping[str, tuple[str, str]]) -> UserCodeError:
    where = _place_of(error)
    for words, (what, advice) in known.items():
        if words in str(error):
            return UserCodeError(f"{action}: {what}", advice)
    # A worker of a DataLoader hands its traceback over as text; its last line is what went wrong.
    first, _, workers = str(error).strip().partition("\nOriginal Traceback")
    text = f"{first} {workers.strip().splitlines()[-1]}" if workers else first.split("\n\n")[0] or "no message"
    if type(error).__name__ == "OutOfMemoryError":
        return UserCodeError(f"{action}: out of memory on the device", "Use a smaller batch size or --device cpu.")
    return UserCodeError(
        f"{action}: {type(error).__name__}{where}: {text}", "Run again with --traceback to see all of it."
    )


def _place_of(error: BaseException) -> str:
    """Return " at file:line", the innermost of the user's own, "" where there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    place = next((frame for frame in reversed(frames) if is_user_file(frame.filename)), None)
    return f" at {place.filename}:{place.lineno}" if place else ""


@functools.lru_cache(maxsize=1024)  # asked for every frame of every operation
def is_user_file(filename: str) -> bool:
    """Return whether a source file is the user's own: not lossdoctor's, not the standard library's, not installed."""
    path = Path(filename)
    return not (
        filename.startswith("<")
        or {"site-packages", "dist-packages"} & set(path.parts)
        or any(path.is_relative_to(folder) for folder in (_PACKAGE, *_NOT_USERS))
    )


def calling_line() -> Location | None:
    """Return the innermost line of the user's own source on the stack, None where there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        if is_user_file(frame.f_code.co_filename):
            return Location(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None
