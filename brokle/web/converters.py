"""Path parts that can only be what they should be: nothing else reaches a query."""


class IdConverter:
    """`key_01jc9v…`: an identifier of brokle.kernel.ids."""

    regex = r"[a-z]{2,8}_[0-9a-z]{1,40}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
