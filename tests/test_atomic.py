"""A file is the old one or the new one, whenever the writer dies."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lossdoctor.atomic import write_atomically
from lossdoctor.errors import LossDoctorError

#: Writes two texts in turn for as long as it lives.
WRITER = """
import itertools, pathlib, sys
from lossdoctor.atomic import write_atomically
path = pathlib.Path(sys.argv[1])
print("writing", flush=True)
for text in itertools.cycle([b"a" * 300_000, b"b" * 200_000]):
    write_atomically(path, text)
"""


def killed_while_writing(path, after):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_at_any_moment(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"old")
    moments = random.Random(0)
    for _ in range(12):
        killed_while_writing(path, moments.uniform(0, 0.05))
        assert path.read_bytes() in (b"old", b"a" * 300_000, b"b" * 200_000)
        # What a dead process could not take away is no config, and out of sight.
        assert list(tmp_path.glob("*.yaml")) == [path]


@pytest.mark.parametrize("failure", [OSError("no space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace", "shutil.copymode"])
def test_what_fails_leaves_nothing_behind(tmp_path, monkeypatch, step, failure):
    path = tmp_path / "config.yaml"
    path.write_text("old")

    def fail(*_):
        raise failure

    monkeypatch.setattr(step, fail)
    with pytest.raises((LossDoctorError, KeyboardInterrupt)):
        write_atomically(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["config.yaml"]
    assert path.read_text() == "old"


def test_text_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    """Or a power failure could leave the new name with nothing in it."""
    done = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr("os.fsync", lambda descriptor: (done.append("flush"), fsync(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda self, target: (done.append("rename"), replace(self, target)))
    write_atomically(tmp_path / "config.yaml", b"new")
    assert done == ["flush", "rename", "flush"]
