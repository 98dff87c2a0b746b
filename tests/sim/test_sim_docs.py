"""docs/simulator.md says what the code does."""

from pathlib import Path

from vector_tl.sim.faults import FAULTS
from vector_tl.sim.unsupported import UNSUPPORTED, RpcSettings, rpcs

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def test_what_is_not_simulated_stands_there_with_its_reason():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|") and "the simulated world" in line]
    told = {name: why for names, why in rows for name in names.split(", ")}
    assert told == UNSUPPORTED
    answers = rpcs(RpcSettings())
    assert f"{len(answers) - len(UNSUPPORTED)} calls of the protocol are answered, {len(UNSUPPORTED)} say UNIMPLEMENTED" in TEXT
    assert "camera_stall" in FAULTS and "camera_stall" in TEXT
