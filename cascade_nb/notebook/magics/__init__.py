"""`%cascade` and `%%cascade`: what is written behind them, and what they do."""
