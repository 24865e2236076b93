"""The layers of a network as a CSV table that a model reads."""

import csv
import io

from mecdsl.networks.layers import Layers


def layers_csv(layers: Layers) -> str:
    """One row for each layer; units stand in the titles."""
    file = layers.file
    texts = {title: column for title, column in file.texts.items() if title != "after"}
    after = {"after": file.texts["after"]} if file.before is not None else {}
    columns = {**texts, **file.columns, **after}
    units = {title: file.unit(title) for title in file.columns}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        title if units.get(title, "1") == "1" else f"{title} [{units[title]}]" for title in columns
    )
    writer.writerows(zip(*(column.value for column in columns.values()), strict=True))
    return text.getvalue()
