"""Charts, pages and model cards from plain numbers and strings; nothing here knows what a BERT is."""
