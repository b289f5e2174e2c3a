"""Golden texts: a change of what models read must change `VERSION`: a tuned model would be asked what it never learnt."""

from __future__ import annotations

from boltbo.llm.pretrained.templates import VERSION, plain, prompt_text

GOLDEN = {
    1: (
        "You write plans.\n\nt title\nk keyword\n\nSolution:\n",
        "<system>You write plans.<user>t title\nk keyword<assistant>",
    )
}


class Chat:
    """A tokenizer with a chat template as simple as can be."""

    chat_template = "given"

    def apply_chat_template(
        self, messages: list[dict[str, str]], *, add_generation_prompt: bool, tokenize: bool
    ) -> str:
        assert add_generation_prompt
        assert not tokenize
        return "".join(f"<{m['role']}>{m['content']}" for m in messages) + "<assistant>"


def test_the_texts_of_this_version() -> None:
    bare, chat = GOLDEN[VERSION]
    assert plain("You write plans.", "t title\nk keyword") == bare
    assert prompt_text(object(), "You write plans.", "t title\nk keyword") == bare
    assert prompt_text(Chat(), "You write plans.", "t title\nk keyword") == chat
