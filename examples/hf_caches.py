"""A tiny language model of Hugging Face transformers, decoding with a growing or a static cache.

    esper-audit exec examples/hf_caches.py dynamic
    esper-audit exec examples/hf_caches.py static

The model is built from a configuration with random weights: nothing is downloaded. A growing cache
gives each step another size; a static one gives all steps one.
"""

import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM, StaticCache
from transformers.cache_utils import DynamicCache

import esper_audit

STEPS = 6


def main(kind: str) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
    )
    model = LlamaForCausalLM(config).eval()
    forward = torch.compile(model.forward, backend="aot_eager")
    if kind == "static":
        cache = StaticCache(config=config, max_cache_len=32)
    else:
        cache = DynamicCache(config=config)
    token = torch.zeros(1, 1, dtype=torch.long)
    with torch.no_grad():
        for position in range(STEPS):
            if position == 3:
                esper_audit.steady_state()
            esper_audit.step(f"token {position}")
            place = torch.tensor([position])
            out = forward(
                input_ids=token, past_key_values=cache, cache_position=place, use_cache=True
            )
            token = out.logits[:, -1:].argmax(-1)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "dynamic")
