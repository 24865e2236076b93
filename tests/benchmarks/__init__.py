"""Speed against hand-written peers in the same run; nothing here asserts seconds."""
