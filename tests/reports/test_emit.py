import os
import stat
from pathlib import Path

import pytest

from lossdoctor.errors import LossDoctorError
from lossdoctor.reports import FORMATS
from lossdoctor.reports.emit import Emission, write_atomically

from .report_samples import FOUNDING, HEALTHY


def test_every_format_goes_to_its_own_file(tmp_path):
    files = [tmp_path / f"report.{name}" for name in FORMATS]
    Emission.plan(list(FORMATS), files, wide=False, quiet=True).write(FOUNDING, HEALTHY)
    for name, file in zip(FORMATS, files):
        assert file.read_text(encoding="utf-8") == FORMATS[name]([FOUNDING, HEALTHY])
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_formats_without_a_file_go_to_stdout(tmp_path, capsysbinary):
    emission = Emission.plan(["sarif", "github"], [tmp_path / "report.sarif"], wide=False, quiet=False)
    emission.write(FOUNDING)
    out, err = capsysbinary.readouterr()
    assert out.decode() == FORMATS["github"]([FOUNDING])
    assert b"LD201" in err


@pytest.mark.skipif(os.name == "nt", reason="permissions as POSIX has them")
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    umask = os.umask(0o022)
    try:
        write_atomically(tmp_path / "report.json", "{}")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "report.json").stat().st_mode) == 0o644


@pytest.mark.skipif(os.name == "nt", reason="permissions as POSIX has them")
def test_a_file_that_exists_keeps_its_permissions(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o640)


def test_a_link_stays_a_link(tmp_path):
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_device_is_written_to_and_not_replaced():
    write_atomically(Path(os.devnull), "text")
    assert not Path(os.devnull).is_file()


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(LossDoctorError, match="No space left"):
        write_atomically(tmp_path / "report.json", "{}")
    assert list(tmp_path.iterdir()) == []
