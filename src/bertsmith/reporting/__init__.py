"""Charts, HTML pages and model cards, made from records, numbers and strings."""
