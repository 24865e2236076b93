"""The algorithms derived for split inference over NOMA."""
