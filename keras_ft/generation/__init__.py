"""Text from a language model, as graph ops: a cache, a loop, and what chooses the next token."""
