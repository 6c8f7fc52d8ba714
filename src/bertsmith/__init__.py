"""Raw text to a BERT that is used."""
