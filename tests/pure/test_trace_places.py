"""Which logs a path means: by what files hold, packed or not, however folders are nested."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
from pathlib import Path

import pytest
from trace_builders import Log

from esper_audit.data.logs import DamageKind
from esper_audit.errors import UsageError
from esper_audit.traces.places import find_logs
from esper_audit.traces.reading import read_log

LOG = Log(rank=0).compile("0/0").compile("0/1", "0/0: n == 1")


def log_at(path: Path, log: Log = LOG) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(log))
    return str(path)


def ids(place: str) -> list[str]:
    return [compiled.id for log in read_log(place) for compiled in log.compiles]


def test_files_of_a_folder_are_told_apart_by_content(tmp_path: Path):
    logs = [
        log_at(tmp_path / "a" / "b" / "notes.txt", Log(pid=1).compile("0/0")),
        log_at(tmp_path / "x"),
    ]
    for name, text in (
        ("empty.log", b""),
        ("dedicated_log_torch_trace_x.log", b"no log"),
        ("m.bin", b"\0" * 999),
    ):
        (tmp_path / name).write_bytes(text)
    found = find_logs([str(tmp_path)])
    assert sorted(found.logs) == sorted(logs) and len(found.others) == 3 and found.damage == []
    assert found.size == sum(len(Path(log).read_bytes()) for log in logs)


def test_a_file_that_is_named_is_read_whatever_it_holds(tmp_path: Path):
    (tmp_path / "empty.log").write_bytes(b"")
    assert find_logs([str(tmp_path / "empty.log")]).logs == [str(tmp_path / "empty.log")]
    assert read_log(str(tmp_path / "empty.log")) == []


def test_copies_links_and_paths_given_twice_are_read_once(tmp_path: Path):
    first = log_at(tmp_path / "a.log")
    log_at(tmp_path / "tl_out" / "raw.log")
    log_at(tmp_path / "other.log", Log(rank=1).compile("0/0").compile("0/1", "0/0: n == 1"))
    (tmp_path / "link.log").symlink_to(first)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = find_logs([str(tmp_path), first])
    assert sorted(Path(log).name for log in found.logs) == ["a.log", "other.log"]
    assert len(found.same) == 3


def test_pipes_and_sockets_of_a_folder_are_left_alone(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.log")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.log")
        (tmp_path / "dangling").symlink_to("nowhere")
        found = find_logs([str(tmp_path)])
    assert found.logs == [] and len(found.others) == 2
    assert [damage.kind for damage in found.damage] == [DamageKind.UNREADABLE]


def test_a_pipe_that_nobody_writes_to_is_empty(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    [place] = find_logs([str(tmp_path / "pipe")]).logs
    assert read_log(place) == []


def test_a_path_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match="There is no file or folder"):
        find_logs([str(tmp_path / "gone")])


def test_packed_logs_are_known_by_their_first_bytes(tmp_path: Path):
    zstandard = pytest.importorskip("zstandard")
    data = bytes(LOG)
    half = len(data) // 2
    packed = {
        "a.gz": gzip.compress(data),
        "b": gzip.compress(data[:half]) + gzip.compress(data[half:]),
        "c.zst": zstandard.compress(data),
        "d.log": zstandard.compress(data[:half]) + zstandard.compress(data[half:]),
    }
    for name, content in packed.items():
        (tmp_path / name).write_bytes(content)
    found = find_logs([str(tmp_path)])
    assert [ids(place) for place in found.logs] == [["0/0", "0/1"]] * 4
    assert all(not log.damage for place in found.logs for log in read_log(place))


@pytest.mark.parametrize("name", ["gz", "zst"])
def test_a_packed_log_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, name: str):
    zstandard = pytest.importorskip("zstandard")
    logs = Log(rank=0)
    for number in range(40):
        logs.compile(f"{number}/0", co_name=f"f{number * 7919}")
    data = bytes(logs)
    writer = zstandard.ZstdCompressor().compressobj()
    parts = [
        writer.compress(data[i : i + 9000]) + writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for i in range(0, len(data), 9000)
    ]
    packed = gzip.compress(data) if name == "gz" else b"".join(parts)
    (tmp_path / "cut").write_bytes(packed[: len(packed) * 3 // 4])
    [log] = read_log(str(tmp_path / "cut"))
    assert 5 < len(log.compiles) < 40
    assert {damage.kind for damage in log.damage} >= {DamageKind.UNREADABLE}


def test_a_file_that_can_not_be_unpacked_is_told_in_a_folder(tmp_path: Path):
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b" + b"nothing" * 9)
    [damage] = find_logs([str(tmp_path)]).damage
    assert damage.kind is DamageKind.UNREADABLE and damage.file.endswith("a.gz")


def test_a_file_that_is_gone_when_it_is_read_costs_itself_alone(tmp_path: Path):
    [log] = read_log(str(tmp_path / "gone"))
    assert log.pid is None and "FileNotFoundError" in log.damage[0].text


def test_urls_are_read_by_fsspec():
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/traces/a/rank0", bytes(LOG))
    memory.pipe("/traces/stray", b"no log")
    memory.pipe("/traces/b.gz", gzip.compress(bytes(Log(rank=1).compile("0/0"))))
    found = find_logs(["memory://traces"])
    assert [ids(place) for place in found.logs] == [["0/0", "0/1"], ["0/0"]] and len(
        found.others
    ) == 1
    with pytest.raises(UsageError, match="Can't read memory://nowhere"):
        find_logs(["memory://nowhere"])
    with pytest.raises(UsageError, match="Can't open nothing://x"):
        find_logs(["nothing://x"])


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_logs_in_archives_are_read(tmp_path: Path, kind, monkeypatch):
    pytest.importorskip("fsspec")
    monkeypatch.chdir(tmp_path)
    log_at(tmp_path / "in" / "run" / "a.log")
    shutil.make_archive("all", kind, ".", "in")
    for url in (f"{kind}://::all.{kind}", f"{kind}://in/run::all.{kind}"):
        assert [ids(place) for place in find_logs([url]).logs] == [["0/0", "0/1"]]


def test_a_protocol_whose_package_is_missing_says_which():
    fsspec = pytest.importorskip("fsspec")
    with pytest.raises(UsageError, match="Install no_such_package") as raised:
        fsspec.register_implementation(
            "absent", "no_such_package.X", errtxt="Install no_such_package", clobber=True
        )
        find_logs(["absent://bucket/run"])
    assert raised.value.hint == "Install that package, and run the command again."


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="has no such device")
def test_a_device_is_no_log():
    with pytest.raises(UsageError, match="/dev/zero is a device, not a file"):
        find_logs(["/dev/zero"])


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    (tmp_path / "a.zst").write_bytes(b"\x28\xb5\x2f\xfd rest")
    [log] = read_log(str(tmp_path / "a.zst"))
    assert "zstandard" in log.damage[0].text
