"""The HTTP API: the real pipeline and application, over doubles of what is behind them."""
