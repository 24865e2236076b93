"""Pictures as PNG, PDF or SVG; they need matplotlib, an optional extra."""
