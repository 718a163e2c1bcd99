"""A user's own prices: read from price lists of others, judged row by row, kept in a book of their own."""
