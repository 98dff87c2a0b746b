"""What came of a poll, in words for the terminal."""

from typing import Any

from vector_tl.plain import counted


def describe(result: dict[str, Any]) -> str:
    """The result of `poll` for a person; before the voting has closed it names no model."""
    lines = []
    if "taken" in result:
        refused = [f"  {each['code']}: {each['why']}" for each in result["refused"]]
        nothing = not (result["taken"] or result["repeated"] or refused)
        none = "There is no code in this file; a code is what a voter was given to send back, as a whole."
        taken = f"{counted(result['taken'], 'vote')} taken; there before: {result['repeated']}."
        lines += [none if nothing else taken, *refused]
    lines += _count(result) if "films" in result else [f"Votes so far: {result['votes']}."]
    until = (
        f"Open until {result['closes']}."
        if result["closes"]
        else "The voting begins once the page is served."
    )
    lines.append("The voting has closed." if result["closed"] else until)
    lines += [f"{key}: {result[key]}" for key in ("address", "csv", "export") if key in result]
    return "\n".join(lines)


def _count(result: dict[str, Any]) -> list[str]:
    """How many chose what, and how sure the answer is."""
    films, doubts = result["films"], result["double_votes"]
    lines = [
        result["question"],
        f"{counted(result['votes'], 'vote')}: {result['decided']} for a film, "
        f"{result['no_difference']} for neither.",
        *(f"  {_film(number, film)}" for number, film in enumerate(films, 1)),
        _answer(films, result["decided"], doubts["warning"]),
    ]
    if films[0]["model"] is None:
        lines.append("Which film is of which model is said once the voting has closed.")
    return [*lines, *(f"Not excluded: {kind}" for kind in doubts["not_excluded"])]


def _film(number: int, film: dict[str, Any]) -> str:
    name = f"film {number}" if film["model"] is None else f"{film['caption']} ({film['model']})"
    if film["interval95"] is None:
        return f"{name}: no votes"
    low, high = film["interval95"]
    return (
        f"{name}: {counted(film['votes'], 'vote')}, {film['share']:.0%} (95 % interval "
        f"{low:.0%} to {high:.0%})"
    )


def _answer(films: list[dict[str, Any]], decided: int, warning: str | None) -> str:
    """As the page of the result says it."""
    if not decided:
        return "Nobody has decided for a film."
    if warning:
        return warning
    sure = any(film["interval95"][0] > 0.5 for film in films)
    return (
        "More people like one of them better."
        if sure
        else "Too few votes to say which one people like better."
    )
