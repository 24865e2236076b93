"""What all backends derived by hand from a paper share: recognition and the way to an answer."""
