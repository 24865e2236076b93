"""Which of several runs have steps to show, and what each is called."""

from collections.abc import Sequence

from mecdsl.results.result import Result


def recorded(results: Sequence[Result]) -> list[Result]:
    """Those with at least one step."""
    return [result for result in results if result.iterations]


def run_name(result: Result) -> str:
    """What a run is called beside others: the backend, and the form if there is one."""
    form = result.instance.model.form
    return f"{result.backend} ({form})" if form else result.backend
