"""What a call used, in buckets that never overlap, whatever the provider's way of counting."""

import msgspec


class Usage(msgspec.Struct, omit_defaults=True):
    """Tokens, each counted once: what was cached is not input, what was reasoned is not output.

    Below them what is not counted in tokens: time of sound, characters, pictures, searches, pages.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    is_estimated: bool = False
    image_input: int = 0
    image_output: int = 0
    audio_ms: int = 0
    characters: int = 0
    images: int = 0
    searches: int = 0
    pages: int = 0
    web_searches: int = 0

    @property
    def all_input(self) -> int:
        cached = self.cache_read + self.cache_write_5m + self.cache_write_1h
        return self.input + cached + self.audio_input + self.image_input

    @property
    def all_output(self) -> int:
        return self.output + self.reasoning + self.audio_output + self.image_output

    @property
    def total(self) -> int:
        return self.all_input + self.all_output

    @property
    def is_text_alone(self) -> bool:
        """Of the tokens: none but those of plain questions and answers."""
        kept = self.cache_read or self.cache_write_5m or self.cache_write_1h
        other = self.reasoning or self.audio_input or self.audio_output or self.image_input or self.image_output
        return not kept and not other

    @property
    def is_tokens_alone(self) -> bool:
        others = self.audio_ms or self.characters or self.images or self.searches or self.pages or self.web_searches
        return not others
