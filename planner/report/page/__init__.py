"""Pages: one self-contained HTML file that needs no network, with charts to point at and the plans behind them."""
