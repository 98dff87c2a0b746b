"""Draws the packages of vector_tl into docs/architecture.md, from the code.

    python scripts/checks/architecture.py [--write]

Without --write it says where the page and the code differ. The floors come from the layers contract in
setup.cfg, what a package holds from its docstring, the arrows from its imports. An arrow that follows from
others is left out (transitive reduction), so that the drawing can be read.
"""

import ast
import configparser
import difflib
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- drawn by scripts/checks/architecture.py -->", "<!-- end of the drawing -->"
SIM = ("server", "gateway", "engine", "render", "world")


def read_floors() -> list[list[str]]:
    """The names on each floor, the highest first, as the contract in setup.cfg has them."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["importlinter:contract:floors"]["layers"].split("\n")
    floors = [[name.strip(" ()") for name in line.split("|")] for line in lines if line.strip()]
    present = [[name for name in floor if find_file(name)] for floor in floors]
    return [floor for floor in present if floor and floor != ["__main__"]]


def find_file(name: str) -> Path | None:
    """The file whose docstring says what a package or module holds; None when it is not there."""
    at = ROOT / "vector_tl" / name
    return next((path for path in (at / "__init__.py", at.with_suffix(".py")) if path.exists()), None)


def summarize(name: str) -> str:
    """The first sentence of a package's docstring."""
    docstring = ast.get_docstring(ast.parse(find_file(name).read_text())) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def read_imports(names: list[str]) -> dict[str, set[str]]:
    """For each of the packages those that it imports; imports inside functions count as well."""
    graph = grimp.build_graph("vector_tl")
    package_of = {
        module: name
        for name in names
        for module in {f"vector_tl.{name}"} | graph.find_descendants(f"vector_tl.{name}")
    }
    imports: dict[str, set[str]] = {name: set() for name in names}
    for module, name in package_of.items():
        imported = {package_of.get(other) for other in graph.find_modules_directly_imported_by(module)}
        imports[name] |= imported - {name, None}
    return imports


def reduce_arrows(imports: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that no longer way through others makes superfluous. The graph has no circle."""

    def reach(name: str) -> set[str]:
        return {name}.union(*(reach(other) for other in imports[name]))

    return [
        (name, other)
        for name in imports
        for other in sorted(imports[name])
        if not any(other in reach(between) for between in imports[name] - {other})
    ]


def draw() -> str:
    """The part of the page between its two marks."""
    floors = read_floors()
    names = [name for floor in floors for name in floor]
    lines = ["```mermaid", "flowchart TD"]
    for number, floor in zip(range(len(floors) - 1, -1, -1), floors, strict=True):
        lines.append(f"    subgraph floor{number}[ ]")
        lines.extend(f"        {name}" for name in floor)
        lines.append("    end")
    lines.extend(f"    {name} --> {other}" for name, other in reduce_arrows(read_imports(names)))
    lines.extend(["```", "", "| package | holds |", "|---|---|"])
    for floor in floors:
        for name in floor:
            parts = [name, *(f"sim/{part}" for part in SIM)] if name == "sim" else [name]
            lines.extend(f"| `{part}` | {summarize(part)} |" for part in parts)
    return "\n".join(lines)


def main(write: bool) -> int:
    """Write the drawing, or compare it with the page: 1 when they differ."""
    before = PAGE.read_text()
    head, rest = before.split(BEGIN)
    after = f"{head}{BEGIN}\n{draw()}\n{END}{rest.split(END)[1]}"
    if write:
        PAGE.write_text(after)
        return 0
    print(
        "\n".join(
            difflib.unified_diff(before.splitlines(), after.splitlines(), "the page", "the code", "", "", 1)
        )
    )
    return int(before != after)


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv[1:]))
