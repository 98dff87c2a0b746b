"""Tab in bash: commands, their options, the words that an option takes; names of models run nothing."""

import dataclasses
import shutil
import subprocess
from pkgutil import resolve_name

import pytest

from vector_tl.cli import COMMANDS
from vector_tl.completion import CompletionSettings, completion, script, words_after

pytestmark = [
    pytest.mark.fast,
    pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine"),
]
ASK = """
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vector_tl; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def tab(tmp_path):
    """What Tab offers after some words, the last of which is begun or empty."""
    (tmp_path / "script").write_text(script("bash"))
    (tmp_path / "models").mkdir()
    for name in ("best", "mine", "$(touch ran)", "a;b"):
        (tmp_path / f"models/{name}.safetensors").touch()

    def press(*words):
        asked = ["bash", "-c", ASK, "bash", tmp_path / "script", "vector-tl", *words]
        return subprocess.check_output(asked, text=True, cwd=tmp_path).split()

    yield press
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("dem",), ["demo"]),
        (("label", "sp"), ["split"]),
        (("label", "split", "--by", ""), ["session", "image"]),
        (("label", "split", "--sh"), ["--shares"]),
        (("sim", "fau"), ["fault"]),
        (("sim", "--rob"), ["--robots"]),
        (("film", "x.mcap", "--left", ""), ["best", "mine"]),
        (("train", "--init", "co"), ["coco"]),
        (("detect", "be"), ["best"]),
        (("nothing", ""), []),
    ],
)
def test_tab_offers(tab, words, offered):
    assert tab(*words) == offered


def test_every_option_of_every_command_is_offered():
    table = words_after()
    for name, command in COMMANDS.items():
        options = {word for word in table[name] if word.startswith("--")}
        fields = {
            "--" + f.name.replace("_", "-")
            for f in dataclasses.fields(resolve_name(f"vector_tl.{command.settings}"))
        }
        assert options - {"--json", "--help"} <= fields
        assert len(fields - options) <= 2, "but for what has no -- before it"


def test_zsh_reads_it_by_its_own_reader_of_such_scripts(capsys):
    assert script("zsh").startswith("autoload -U +X bashcompinit && bashcompinit\n")
    completion(CompletionSettings("zsh"))
    assert capsys.readouterr().out == script("zsh") + "\n" and script("zsh").endswith(script("bash"))
