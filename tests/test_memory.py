import errno
import os
import subprocess
import sys

import pytest
import torch

from inv3d import memory
from inv3d.core.errors import InputError, ModelError, OutOfMemoryError
from inv3d.memory import free_memory, memory_errors, most, ran_out, require

SAID = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("could not create a primitive"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("can't start new thread"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError("Cannot allocate memory (os error 12)"),
    SystemError("mmap failed"),
]


def chained(error: Exception, reason: Exception) -> Exception:
    error.__cause__ = reason
    return error


@pytest.mark.parametrize("error", SAID, ids=repr)
def test_every_way_of_saying_it_is_one_error(error):
    for raised in (error, chained(ModelError("it cannot be loaded", "import it again"), error)):
        with pytest.raises(OutOfMemoryError) as caught, memory_errors():
            raise raised
        assert caught.value.exit_code == 5 and "ran out" in caught.value.message


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("no"),
        FileNotFoundError(errno.ENOENT, "No such file", "std::bad_alloc out of memory.mp4"),
        InputError("std::bad_alloc.mp4 is not a video", "check it"),
    ],
    ids=repr,
)
def test_other_errors_stay_what_they_are(error):
    assert not ran_out(error)
    with pytest.raises(type(error)) as caught, memory_errors():
        raise error
    assert caught.value is error


def test_a_chain_of_errors_that_closes_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    assert not ran_out(first)


@pytest.mark.parametrize(
    ("said", "options", "hint"),
    [
        ("std::bad_alloc", (), "close other programs"),
        ("std::bad_alloc", ("--device", "--views", "--preset"), "close other programs, or use fewer --views or --preset fast"),
        ("CUDA out of memory", ("--device", "--resolution"), "close other programs, or use --device cpu or a smaller --resolution"),
    ],
)
def test_the_hint_names_options_of_the_job_alone(said, options, hint):
    with pytest.raises(OutOfMemoryError) as caught, memory_errors(*options):
        raise RuntimeError(said)
    assert caught.value.hint == hint


def test_what_is_needed_is_compared_with_what_is_free(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2_000_000_000)
    require(2e9, "a head", "go on")
    with pytest.raises(OutOfMemoryError, match=r"a head needs about 2\.1 GB of memory; 2\.0 GB are free"):
        require(2.01e9, "a head", "go on")


def test_the_most_that_fits(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert most(lambda side: side**2, 100) == 31
    assert most(lambda side: side**2, 20) == 20
    assert most(lambda side: 2000 + side, 20) == 0


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 8 GB of which 6 are available, without limits; returns what writes its files."""
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "address_space", lambda: memory._UNLIMITED)

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    write("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable:    6000000 kB\nSwapFree: 0 kB\n")
    return write


def test_memory_of_the_machine(machine):
    assert free_memory() == 6_000_000 << 10


def test_the_tightest_control_group_counts_and_file_caches_give_way(machine):
    machine("proc/self/cgroup", "0::/jobs/one\n")
    machine("cgroup/jobs/one/memory.max", "max\n")
    machine("cgroup/jobs/one/memory.current", "1000\n")
    machine("cgroup/jobs/memory.max", "3000000000\n")
    machine("cgroup/jobs/memory.current", "1000000000\n")
    machine("cgroup/jobs/memory.stat", "anon 1\ninactive_file 500000000\n")
    assert free_memory() == 2_500_000_000


def test_control_groups_of_the_first_version(machine):
    machine("proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/abc\n")
    machine("cgroup/memory/memory.limit_in_bytes", "2000000000\n")  # of the container: its own path is not mounted
    machine("cgroup/memory/memory.usage_in_bytes", "500000000\n")
    assert free_memory() == 1_500_000_000


def test_a_limit_on_the_address_space_counts(monkeypatch):
    resource = pytest.importorskip("resource")
    before = memory.address_space()
    used = memory._fields(memory._PROC / "self" / "status", ":")["VmSize"]
    monkeypatch.setattr(resource, "getrlimit", lambda which: (used + (1 << 30), resource.RLIM_INFINITY))
    assert before > memory.address_space() and 0 < memory.address_space() <= 1 << 30


def test_libraries_that_do_not_load_are_found_out_by_a_trial(monkeypatch):
    monkeypatch.setattr(memory, "address_space", lambda: 1 << 32)
    monkeypatch.setattr(memory, "_TRIAL", "import sys; sys.exit(0)")
    memory.require_start()
    monkeypatch.setattr(memory, "_TRIAL", "import os; os.abort()")
    with pytest.raises(OutOfMemoryError, match="ulimit -v"):
        memory.require_start()
    monkeypatch.setattr(memory, "address_space", lambda: 1 << 40)
    memory.require_start()  # no trial where there is no limit
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000_000)
    with pytest.raises(OutOfMemoryError, match=r"inv3d needs about 0\.6 GB"):
        memory.require_start()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on the address space")
@pytest.mark.parametrize(
    "command", [("models", "list"), ("doctor", "--quick"), ("video", "clip.mp4"), ("train", "data", "runs")]
)
def test_a_tight_address_space_ends_in_two_lines(command, tmp_path):
    resource = pytest.importorskip("resource")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))

    (tmp_path / "clip.mp4").touch()
    done = subprocess.run(
        [sys.executable, "-m", "inv3d", *command], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=limit, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert len(done.stderr.splitlines()) == 2 and done.stderr.startswith("error: ") and done.stdout == ""


_FREED_OFTEN = """
import resource, sys
from inv3d.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1:] else True
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        parts = [bytearray(6_000_000) for _ in range(3)]
        del parts
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries are left alone")
def test_memory_that_was_freed_needs_no_new_pages():
    def faults(*arguments: str) -> int:
        run = subprocess.run([sys.executable, "-c", _FREED_OFTEN, *arguments], check=True, capture_output=True, text=True)
        kept, count = run.stdout.split()
        if kept != "True":
            pytest.skip("not GNU's C library")
        return int(count)

    assert faults("keep") < 100 < faults()
