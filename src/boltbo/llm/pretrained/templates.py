"""Templates that make one text of instruction and context; a model keeps the version that it was tuned with."""

from __future__ import annotations

from typing import Any

VERSION = 1


def prompt_text(tokenizer: Any, instruction: str, context: str) -> str:
    """The text that a pretrained model reads before the solution: by its chat template, or a plain one where it has none."""
    if getattr(tokenizer, "chat_template", None):
        chat = messages(instruction, context)
        return str(tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))
    return plain(instruction, context)


def messages(instruction: str, context: str) -> list[dict[str, str]]:
    """The messages that a chat model reads before the solution, which it writes as the assistant."""
    return [{"role": "system", "content": instruction}, {"role": "user", "content": context}]


def plain(instruction: str, context: str) -> str:
    """A prompt for a model without a chat template."""
    return f"{instruction}\n\n{context}\n\nSolution:\n"
