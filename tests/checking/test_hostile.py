"""Files that mean harm: a message each, and nothing run, followed, leaked or waited for."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from .project import HEALTHY, check, write

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij")
)

#: What stands in the file, and a part of what is said about it.
HOSTILE = {
    "bomb": (BOMB + HEALTHY, "100,000 values"),
    "many aliases": ("a: &a 1\nb: [" + "*a, " * 101 + "]\n" + HEALTHY, "at most 100 aliases"),
    "large": (HEALTHY + "#" * 1_000_001, "1,000,000 bytes"),
    "deep": (HEALTHY + "rules: " + "[" * 60 + "]" * 60, "50 levels"),
    "very deep": (HEALTHY + "rules: " + "[" * 100_000, "nesting"),
    "binary": (b"\x00\x01\x02loss: model:\xff\xfe", "the byte 0xff"),
    "control characters": (HEALTHY.encode() + b"# \x1b[2J\n", "control character"),
    "invalid utf-8": (HEALTHY.encode() + b"# \xe9\n", "0xe9"),
    "tag": (HEALTHY + "trial: !!python/object/apply:os.system [touch ran]\n", "a value without a tag"),
    "name tag": (HEALTHY + "trial: {metric: !!python/name:os.system }\n", "a value without a tag"),
    "recursion": ("a: &a {b: *a}\n" + HEALTHY, "inside itself"),
    "several documents": (HEALTHY + "---\n" + HEALTHY, "one document"),
    "a long key": (HEALTHY + f"{'k' * 100_000}: 1\n", "a syntax error"),
    "many keys": (HEALTHY + "".join(f"k{index}: 1\n" for index in range(20_000)), "one of the keys"),
    "many components": (
        HEALTHY + "".join(f"    c{index}: {{term: mse, weight: {index}.5}}\n" for index in range(1000)),
        "at most 100 components",
    ),
    "many comments": (HEALTHY + "  # lossdoctor: ignore LD1\n" * 2000, "at most 1,000 comments"),
    "a path from elsewhere": (HEALTHY.replace("random", "../../../../../../etc/no-such-file"), "which is not there"),
    "a quoted escape": (HEALTHY.replace("term: l1", 'term: "\\e[31m"'), "\\x1b"),
}


@pytest.mark.parametrize(("content", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_gets_one_message(content, said, tmp_path):
    path = tmp_path / "hostile.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = check(path)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert len(done.stderr) < 3000
    assert "\x1b" not in done.stdout + done.stderr
    assert not (tmp_path / "ran").exists()


def test_all_of_them_in_a_folder_do_not_keep_a_config_from_being_checked(tmp_path):
    for index, (content, _) in enumerate(HOSTILE.values()):
        path = tmp_path / f"{index:02}.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    write(tmp_path, good__yaml=HEALTHY)
    done = check(tmp_path)
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == len(HOSTILE)


def test_as_many_components_as_there_may_be_take_no_time_to_speak_of(tmp_path):
    """Every pair of them counts twice: the most findings that a config can have."""
    components = "".join(f"    c{index}: {{term: mse, space: lab, weight: {index + 1}.0}}\n" for index in range(100))
    write(tmp_path, c__yaml=HEALTHY[: HEALTHY.index("    features")] + components)
    command = [sys.executable, "-m", "lossdoctor", "check", str(tmp_path), "--quiet", "--format", "sarif"]

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))  # a hundred of it when compared all with all

    done = subprocess.run(command, capture_output=True, preexec_fn=limit, check=False)
    assert done.returncode in (0, 1), done.stderr


def test_neither_time_nor_memory_gets_out_of_hand(tmp_path):
    """CPU seconds and bytes are limited by the system, not measured: a healthy process stays far below."""
    for index, (content, _) in enumerate(HOSTILE.values()):
        path = tmp_path / f"{index:02}.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def limits():
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    command = [sys.executable, "-m", "lossdoctor", "check", str(tmp_path), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limits, check=False)
    assert done.returncode == 2, done.stderr


def test_a_file_of_another_tool_that_cannot_be_read_is_said_and_no_failure(tmp_path):
    write(tmp_path, good__yaml=HEALTHY, chart__yaml="{{ if .Values.on }}\nkind: Service\n{{ end }}\n")
    done = check(tmp_path)
    assert done.exit_code == 0
    assert f"skipped {tmp_path / 'chart.yaml'}:2:1" in done.stderr


def test_links_are_followed_no_further_than_the_folder(tmp_path):
    secret = write(tmp_path / "outside", secret__yaml="password: hunter2\nloss: {step: x}\nmodel: {target: y}\n")
    folder = write(tmp_path / "inside", good__yaml=HEALTHY)
    (folder / "again.yaml").symlink_to("good.yaml")
    (folder / "out.yaml").symlink_to(secret / "secret.yaml")
    (folder / "out").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    (folder / "a.yaml").symlink_to("b.yaml")
    (folder / "b.yaml").symlink_to("a.yaml")
    (folder / "dangling.yaml").symlink_to("nowhere.yaml")
    done = check(folder)
    assert "hunter2" not in done.stdout + done.stderr
    for name, note in {
        "out.yaml": "leads out",
        "out": "not followed",
        "loop": "not followed",
        "a.yaml": "cannot be read",
    }.items():
        assert any(str(folder / name) in line and note in line for line in done.stderr.splitlines()), name
    assert done.stdout.count("1 config") <= 1


def test_a_loop_that_is_named_is_a_message(tmp_path):
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    done = check(tmp_path / "a.yaml")
    assert done.exit_code == 2
    assert "symbolic links" in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    write(tmp_path, good__yaml=HEALTHY)
    assert check(tmp_path).exit_code == 0
    done = check(tmp_path / "pipe.yaml")
    assert done.exit_code == 2
    assert "no regular file" in done.stderr


def test_devices_are_not_read(tmp_path):
    assert "no regular file" in check(Path("/dev/zero")).stderr
    done = check(write(tmp_path, good__yaml=HEALTHY), "--baseline", "/dev/zero")
    assert done.exit_code == 2
    assert "more than 50,000,000 bytes" in done.stderr
