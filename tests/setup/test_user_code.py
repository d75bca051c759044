"""Importing and running code that belongs to the user."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from lossdoctor.errors import LossDoctorError, UserCodeError
from lossdoctor.setup.user_code import blaming, calling_line, import_target, importable, is_user_file


@pytest.fixture
def folder(tmp_path):
    def write(**files):
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return tmp_path

    return write


def load(folder, target="mine:thing", key="model.target"):
    with importable(folder):
        return import_target(target, key)


class TestImporting:
    def test_beside_the_config(self, folder):
        assert load(folder(mine="def thing(): return 3"))() == 3

    def test_in_packages_with_and_without_init(self, folder):
        here = folder(plain__mine="def thing(): return 1", full____init__="", full__mine="def thing(): return 2")
        assert load(here, "plain.mine:thing")() == 1
        assert load(here, "full.mine:thing")() == 2

    def test_relative_imports_and_neighbours(self, folder):
        here = folder(
            package__mine="from .other import thing",
            package__other="import beside\nthing = beside.thing",
            beside="def thing(): return 5",
        )
        assert load(here, "package.mine:thing")() == 5

    def test_attributes_of_classes(self, folder):
        here = folder(mine="class Thing:\n    @staticmethod\n    def make(): return 4")
        assert load(here, "mine:Thing.make")() == 4

    def test_from_a_relative_folder(self, folder, monkeypatch):
        monkeypatch.chdir(folder(sub__mine="def thing(): return 6"))
        assert load(Path("sub"))() == 6
        assert "mine" not in sys.modules

    def test_installed_packages(self, folder):
        assert load(folder(), "collections:OrderedDict") is not None

    @pytest.mark.parametrize(
        ("files", "target", "message", "advice"),
        [
            ({}, "nowhere:thing", "model.target: there is no module 'nowhere'", "beside the config file"),
            ({"package__mine": ""}, "package.nowhere:thing", "no module 'package.nowhere'", "beside the config"),
            ({}, "nowhere.models:thing", "there is no module 'nowhere'", ""),
            ({"mine": "def think(): pass"}, "mine:thing", "has no 'thing'", "did you mean `think`"),
            (
                {"mine": "class Thing:\n    def make(self): pass"},
                "mine:Thing.mkae",
                "has no 'mkae'",
                "did you mean `make`",
            ),
            ({"mine": ""}, "mine:zzz", "has no 'zzz'", "after the colon"),
            ({"mine": "thing = 3"}, "mine:thing", "mine:thing is int", "Name a function or a class"),
        ],
    )
    def test_what_cannot_be_found(self, folder, files, target, message, advice):
        with pytest.raises(UserCodeError) as raised:
            load(folder(**files), target)
        assert message in raised.value.message
        assert advice in raised.value.advice

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            (
                "import albumentation_nobody_has",
                "ModuleNotFoundError at {file}:1: No module named 'albumentation_nobody_has'",
            ),
            ("\n\nraise RuntimeError('not today')", "RuntimeError at {file}:3: not today"),
            ("def f():\n    g(\n\nx = ", "SyntaxError at {file}:"),
            ("x = 1\n  y = 2", "IndentationError at {file}:2"),
            ("import sys\nsys.exit('enough')", "SystemExit at {file}:2: enough"),
            ("from math import nothing", "ImportError at {file}:1: cannot import name 'nothing'"),
            ("assert False", "AssertionError at {file}:1: no message"),
        ],
    )
    def test_modules_that_fail_at_import(self, folder, source, message):
        here = folder(mine=source)
        with pytest.raises(UserCodeError) as raised:
            load(here)
        assert raised.value.message.startswith("importing model.target: ")
        assert message.format(file=here / "mine.py") in raised.value.message

    def test_an_attribute_that_raises(self, folder):
        here = folder(mine="def __getattr__(name): raise OSError('no such thing')")
        with pytest.raises(UserCodeError, match="OSError at .*mine.py:1: no such thing"):
            load(here)


class TestTwoConfigsInOneProcess:
    def test_modules_of_the_same_name(self, tmp_path):
        for number in (1, 2):
            package = tmp_path / str(number) / "package"
            package.mkdir(parents=True)
            (package.parent / "train.py").write_text(f"import helper\ndef thing(): return helper.NUMBER + {number}")
            (package.parent / "helper.py").write_text(f"NUMBER = {10 * number}")
            (package / "part.py").write_text(f"def thing(): return {100 * number}")
        # The first package has no __init__.py, the second has one.
        (tmp_path / "2" / "package" / "__init__.py").write_text("")
        for number in (1, 2, 1):
            assert load(tmp_path / str(number), "train:thing")() == 11 * number
            assert load(tmp_path / str(number), "package.part:thing")() == 100 * number

    def test_nothing_stays_behind(self, folder, monkeypatch):
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        here = folder(mine="import other\ndef thing(): pass", other="", package__part="")
        path, modules = sys.path[:], set(sys.modules)
        with importable(here):
            import_target("mine:thing", "key")
            import_target("package.part:__name__.upper", "key")
        assert sys.path == path
        assert set(sys.modules) - modules == set()
        assert not sys.dont_write_bytecode
        assert not list(here.rglob("__pycache__"))

    def test_installed_packages_inside_the_folder_are_not_forgotten(self, folder):
        """A virtual environment often lies beside the config; importing NumPy a second time would break it."""
        library = folder(mine="import installed\ndef thing(): pass") / "venv" / "site-packages"
        library.mkdir(parents=True)
        (library / "installed.py").write_text("")
        sys.path.append(str(library))
        try:
            load(folder())
            assert "installed" in sys.modules
        finally:
            sys.path.remove(str(library))
            sys.modules.pop("installed", None)

    def test_modules_that_were_there_before_stay(self, folder, monkeypatch):
        here = folder(mine="def thing(): pass")
        monkeypatch.syspath_prepend(here)
        import mine  # type: ignore[import-not-found]

        load(here)
        assert sys.modules.pop("mine") is mine

    def test_everything_is_undone_after_an_error(self, folder):
        path = sys.path[:]
        with pytest.raises(UserCodeError):
            load(folder(mine="1 / 0"))
        assert sys.path == path
        assert "mine" not in sys.modules


def test_no_file_of_the_users_shadows_what_lossdoctor_imports(folder):
    mistake = "raise RuntimeError('a file of the user, imported by mistake')"
    names = ("kornia", "torchvision", "torch", "random", "numpy", "types", "queue", "profile", "statistics", "images")
    here = folder(
        mine="""
            import torch
            model = lambda: torch.nn.Conv2d(1, 3, 1)
            data = lambda: [(torch.rand(2, 1, 32, 32), torch.rand(2, 3, 32, 32))]
        """,
        **dict.fromkeys(names, mistake),
    )
    config = """
        model: {target: "mine:model"}
        data: {target: "mine:data"}
        loss: {components: {lab: {term: mse, space: lab}, ssim: {term: ssim}, tv: {term: tv, weight: 0.1}}}
    """
    (here / "config.yaml").write_text(textwrap.dedent(config))
    script = "import sys, lossdoctor; print(lossdoctor.inspect(sys.argv[1]).objectives[0].grad_norm > 0)"
    done = subprocess.run(
        [sys.executable, "-c", script, here / "config.yaml"], capture_output=True, text=True, cwd=here.parent
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


class TestBlaming:
    def test_names_the_innermost_line_of_the_users(self):
        def inner():
            return torch.ones(2) @ torch.ones(3)

        line = inner.__code__.co_firstlineno + 1
        with (
            pytest.raises(UserCodeError, match=rf"doing this: RuntimeError at {__file__}:{line}: ") as raised,
            blaming("doing this"),
        ):
            inner()
        assert isinstance(raised.value.__cause__, RuntimeError)

    @pytest.mark.parametrize(
        "error", [SystemExit(1), GeneratorExit(), AssertionError(), KeyError("x"), StopIteration()]
    )
    def test_whatever_is_raised(self, error):
        with pytest.raises(UserCodeError, match=type(error).__name__), blaming("doing this"):
            raise error

    @pytest.mark.parametrize("error", [LossDoctorError("as it is"), KeyboardInterrupt()])
    def test_what_is_let_through(self, error):
        with pytest.raises(type(error)) as raised, blaming("doing this"):
            raise error
        assert raised.value is error

    @pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried …")])
    def test_out_of_memory(self, error):
        with pytest.raises(UserCodeError, match="doing this: out of memory") as raised, blaming("doing this"):
            raise error
        assert "smaller batch" in raised.value.advice

    def test_long_texts_are_cut_at_the_first_paragraph(self):
        with pytest.raises(UserCodeError) as raised, blaming("doing this"):
            raise ValueError("short\n\nvery long")
        assert "very long" not in raised.value.message


class TestUserFiles:
    @pytest.mark.parametrize(
        ("file", "expected"),
        [
            (__file__, True),
            ("/home/me/project/train.py", True),
            (torch.__file__, False),
            (pytest.__file__, False),
            (subprocess.__file__, False),
            (sys.modules["lossdoctor"].__file__, False),
            ("/home/me/.local/lib/python3.11/site-packages/torch/nn.py", False),
            ("/usr/lib/python3/dist-packages/numpy/core.py", False),
            (str(Path(sys.executable).parent / "lossdoctor"), False),
            ("<frozen runpy>", False),
            ("<string>", False),
        ],
    )
    def test_whose_file(self, file, expected):
        assert is_user_file(file) == expected

    def test_calling_line(self):
        location = calling_line()
        assert location.file == __file__
        assert "location = calling_line()" in Path(__file__).read_text().splitlines()[location.line - 1]
