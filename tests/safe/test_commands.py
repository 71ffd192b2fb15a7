"""Every `panel.py …` and `treasury.py …` in the documents and in their own help can be typed."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import SCRIPTS

from scripts import panel, treasury

OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations"
LINE = re.compile(r"^(?: *python scripts/)?(panel|treasury)\.py (.+)$", re.MULTILINE)
TEXTS = {
    "panel.md": (OPERATIONS / "panel.md").read_text(),
    "treasury.md": (OPERATIONS / "treasury.md").read_text(),
    "panel.py": panel.__doc__,
    "treasury.py": treasury.__doc__,
}


def lines(text):
    """(script, words) of each command; a long one goes on with an option."""
    found = LINE.findall(re.sub(r"\n +(?=--)", " ", text))
    return [(script, shlex.split(rest, comments=True)) for script, rest in found]


@pytest.mark.parametrize("name", TEXTS)
def test_commands_can_be_typed(name):
    found = lines(TEXTS[name])
    assert len(found) > 3
    for script, words in found:
        SCRIPTS[script].options().parse_args(words)


def test_a_wrong_command_is_noticed(capsys):
    with pytest.raises(SystemExit):
        panel.options().parse_args(["confirm", "--network", "sepolia", "--to-buyer", "40"])
    assert "unrecognized arguments: --to-buyer" in capsys.readouterr().err
