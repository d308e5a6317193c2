"""scripts/add_model: from a Hugging Face model, a GGUF file or an OpenVINO folder to a served one.

How it works: `sources` finds or fetches the files, `inspection` reads what they are, `building`
lets the build environment compile them, `trial` makes ten tokens with the very engine that will
serve them, and `place` moves the finished folder into the model repository by one rename.
"""
