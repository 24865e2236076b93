"""Text as a notebook shows it."""

import html


def preformatted_html(text: str) -> str:
    """The text as it stands, blanks and all."""
    return f"<pre>{html.escape(text)}</pre>"
