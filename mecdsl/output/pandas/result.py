"""The values of a result as series."""

from typing import TYPE_CHECKING

from mecdsl.results.result import Result

if TYPE_CHECKING:
    import pandas


def result_pandas(result: Result, name: str) -> "pandas.Series[float]":
    """Values of one name as a series over its index, with the unit in its name.

    Needs pandas.
    """
    import pandas

    flat = result.flat(name)
    table = result.instance.world.symbols[name]
    title = f"{name} [{result.unit(name)}]"
    if not table.names:
        return pandas.Series(flat, name=title)
    columns = [table.table.columns[index] for index in table.names]
    index = pandas.MultiIndex.from_arrays(columns, names=list(table.names))
    return pandas.Series(
        flat, index=index if len(columns) > 1 else index.get_level_values(0), name=title
    )
