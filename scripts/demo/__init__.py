"""How the bundled `demo` model is made: corpus, tokenizer, training, export, card."""
