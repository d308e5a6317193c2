"""The Triton backend "llm": text in, text out, around one engine.

The way of a request, one module each:

    model             Triton's shell: tensors in, tensors out
    service           admits requests, runs tasks, closes in order
    request_reader    tensors → a checked request      (tensor_reader, messages, contract)
    preprocessing     request → ids, room, parameters  (chat_template, tokenizer)
    engines           ids → deltas of ids              (protocol; openvino, tensorrt_llm, simulated)
    generation        deltas of n sequences → replies  (postprocessing, detokenizer, stops)
    exchange          one request and what its client is to be told
    delivery          the one thread that sends and notices clients that left (reply)
    backlog           what the other threads have to do while the engine's computes
    metrics           the engine's figures

Threads: Triton's own (accept), four that admit, the engine's, and delivery's. Only `model`
knows pb_utils, only an engine's module its library, so all else is tested without either.
"""
