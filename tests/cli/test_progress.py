import json

from inv3d.cli.progress import JsonLines, LiveLines, PlainLines, reporter


def work(progress) -> None:
    with progress:
        for step in range(1, 101):
            progress("W+", step, 100, {"pixel": 0.5 / step})
        progress("export head", 1, 2, {})


def test_logs_get_a_few_plain_lines(capsys):
    work(PlainLines())
    lines = capsys.readouterr().out.splitlines()
    assert 3 <= len(lines) <= 7
    assert "W+ 100/100 pixel 0.005" in lines[-2] and "\x1b" not in "".join(lines)


def test_programs_get_every_step_as_json(capsys):
    work(JsonLines())
    messages = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(messages) == 101
    assert messages[1] == {"stage": "W+", "step": 2, "steps": 100, "losses": {"pixel": 0.25}}


def test_a_terminal_gets_one_bar_per_stage():
    live = LiveLines()
    work(live)
    assert list(live.tasks) == ["W+", "export"]


def test_output_that_is_no_terminal_gets_plain_lines():
    assert isinstance(reporter(False), PlainLines) and isinstance(reporter(True), JsonLines)
