"""Several jobs that share pools of nodes, a calendar and money: the file, its modes, schedules, bills, and search."""
