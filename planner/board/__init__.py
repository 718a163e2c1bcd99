"""The board: one live page on which people move a request's limits and see the proven best plan follow."""
