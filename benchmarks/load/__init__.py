"""How long messages take while much else goes on, beside other peers; see README.md here."""
