"""The layers of a network as text."""

from collections.abc import Sequence

from mecdsl.checking.layer_cuts import MOST_CUTS, TooManyCutsError, valid_cuts
from mecdsl.diagnostics import count
from mecdsl.networks.layer_file import LayerFile
from mecdsl.networks.layer_table import FLOP_PER_MAC
from mecdsl.networks.layers import Layers
from mecdsl.output.json.layers import totals
from mecdsl.output.text.layout import number, paragraph, table
from mecdsl.units import format_value, parse_unit

# What delays follow from is too wide for a screen.
SIZES = ("output_side", "kernel", "taps", "input_channels", "output_channels", "outputs")


def layers_text(layers: Layers) -> str:
    """One line for each layer, and the sums."""
    file, counted = layers.file, layers.counted
    shape = "a chain"
    if file.before is not None:
        try:
            shape = f"with branches, {count(len(valid_cuts(file.before).truth), 'valid cut')}"
        except TooManyCutsError:
            shape = f"with branches, more than {MOST_CUTS} valid cuts"
    # FLOPs that were counted are MACs times a number the last line says; a table made elsewhere has
    # its own
    hidden = ("input",) if counted is None else ("input", "flops")
    sizes = [title for title in SIZES if title in file.columns and "output_side" in file.columns]
    lines = [
        paragraph(f"{layers.name}: {count(file.size, 'layer')}, {shape}"),
        _rows(file, (*hidden, *sizes)),
    ]
    if layers.device is not None:
        which = "output" if layers.device.swap_channels else "input"
        lines.append(paragraph(f"time: on {layers.device.name}, O the {which} channels"))
    if sizes:
        lines.append(paragraph(f"not shown: {', '.join(sizes)}; `--json` has them"))
    if counted is not None:
        lines.append(f"{counted.bits} bit for each value, {FLOP_PER_MAC} FLOP for each MAC")
    return "\n".join(lines)


def _rows(file: LayerFile, hidden: Sequence[str]) -> str:
    """One line for each layer, and the sums, without the columns `hidden`."""

    def shown(title: str, cell: object) -> str:
        if not isinstance(cell, int | float):
            return str(cell)
        unit = parse_unit(file.unit(title))
        return number(cell) if unit.text == "1" else format_value(unit.to_si(float(cell)), unit, 4)

    texts = [title for title in ("name", "kind") if title in file.texts]
    titles = [title for title in file.columns if title not in hidden]
    after = ["after"] if file.before is not None else []
    rows = [
        [
            str(row + 1),
            *(str(file.texts[title].value[row]) for title in texts),
            *(shown(title, file.columns[title].value[row]) for title in titles),
            *(" ".join(map(str, read)) for read in (file.before or ())[row : row + 1]),
        ]
        for row in range(file.size)
    ]
    summed = totals(file)
    sums = [shown(title, summed[title]) if title in summed else "" for title in titles]
    rows.append(["sum", *("" for _ in texts), *sums])
    return table(
        rows, ["", *texts, *titles, *after], right="r" + "l" * len(texts) + "r" * len(titles)
    )
