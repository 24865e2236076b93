"""Tests; a test file mirrors the module it is named after."""
