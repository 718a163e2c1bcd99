"""One run in figures: names resolved to records, records to symbols, symbols to time, memory and money."""
