"""What can be learned: one file a task, each filed in `registry.TASKS` under its name."""
