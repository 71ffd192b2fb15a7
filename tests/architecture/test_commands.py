"""Every `otc …` in the documents and in its own help is a command, with options that it has."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from coordinator.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
# To be typed as it stands: a line of a code block, or of the help.
LINE = re.compile(r"^ *(?:\.venv/bin/)?otc (.+)$", re.MULTILINE)
# Named in a sentence, with words like ORDER in it.
SPAN = re.compile(r"`otc ([^`]+)`")


def words_of(text: str) -> list[str]:
    """Without a comment, and without where the output goes."""
    return shlex.split(text.split(" > ")[0], comments=True)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the rest of them."""
    command: Any = get_command(app)
    while isinstance(command, TyperGroup) and words:
        assert words[0] in command.commands, f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def helps(command: Any) -> Iterator[str]:
    """The help of a command and of those below it; a long example goes on with an option."""
    yield re.sub(r"\n *(?=--)", " ", command.help or "")
    for one in getattr(command, "commands", {}).values():
        yield from helps(one)


def read(line: str) -> None:
    """Read a line as `otc` does, and carry nothing out. Raises what is wrong with it."""
    command, words = command_of(words_of(line))
    assert not isinstance(command, TyperGroup), "no whole command"
    command.make_context(command.name, words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_commands_in_documents_can_be_typed(document: Path) -> None:
    for line in LINE.findall(document.read_text()):
        read(line)


def test_examples_of_the_help_can_be_typed() -> None:
    examples = [line for text in helps(get_command(app)) for line in LINE.findall(text)]
    assert len(examples) > 20
    for line in examples:
        read(line)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_commands_named_in_documents_exist(document: Path) -> None:
    for span in SPAN.findall(document.read_text()):
        command, words = command_of(words_of(span))
        options = {name for param in command.params for name in param.opts}
        assert {word for word in words if word.startswith("-")} <= options, span


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sell", "no command sell"),
        ("order", "no whole command"),
        ("order show", "Missing parameter"),
        ("keys create wallet.json --key 0x1", "No such option"),
        ("chain halt --chain one --why x", "valid integer"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, words: str) -> None:
    with pytest.raises(Exception, match=words):
        read(line)
