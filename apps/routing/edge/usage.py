"""What a call used, in buckets that never overlap, whatever the provider's way of counting."""

import msgspec


class Usage(msgspec.Struct, omit_defaults=True):
    """Tokens, each counted once: what was cached is not input, what was reasoned is not output."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    is_estimated: bool = False

    @property
    def all_input(self) -> int:
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.audio_input

    @property
    def all_output(self) -> int:
        return self.output + self.reasoning + self.audio_output

    @property
    def total(self) -> int:
        return self.all_input + self.all_output
