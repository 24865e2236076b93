"""Series and frames; they need pandas, an optional extra."""
