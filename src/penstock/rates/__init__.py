"""Where exchange rates come from: a table of prices, or a live market. What a rate is stands in core/rates.py."""
