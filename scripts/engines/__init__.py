"""scripts/build_engine: from a Hugging Face folder to an engine for one machine."""
