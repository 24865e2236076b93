"""The algorithms derived for collaborative inference over fog nodes."""
