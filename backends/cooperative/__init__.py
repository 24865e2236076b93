"""The algorithms derived for cooperative computing at edge and cloud."""
