"""A team's own runs: reading what they measured, learning from it, and which short run to make next."""
