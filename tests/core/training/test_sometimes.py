import time

from inv3d.core.training import sometimes


def test_lines_pass_at_most_every_few_seconds(monkeypatch):
    clock = iter([0.0, 3.0, 5.0, 9.9, 10.0])
    monkeypatch.setattr(time, "monotonic", clock.__next__)
    lines: list[str] = []
    report = sometimes.Sometimes(lines.append, seconds=5.0)
    for line in "abcd":
        report(line)
    assert lines == ["b", "d"]
