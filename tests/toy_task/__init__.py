"""A toy task, `shouting`: whether a text is shouted. One folder, and one line in the registry (in tests/tasks)."""
