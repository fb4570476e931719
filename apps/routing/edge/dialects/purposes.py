"""What texts are embedded for: Google and Cohere have words for it, OpenAI has none and so its callers say either's."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from apps.routing.edge.dialects.speech import CannotExpress
from brokle.kernel.errors import BadRequest

# By every name that callers give it, in small letters, to Google's, which is the longest list.
_MEANT: Final = {
    "retrieval_document": "RETRIEVAL_DOCUMENT",
    "search_document": "RETRIEVAL_DOCUMENT",
    "document": "RETRIEVAL_DOCUMENT",
    "passage": "RETRIEVAL_DOCUMENT",
    "retrieval_query": "RETRIEVAL_QUERY",
    "search_query": "RETRIEVAL_QUERY",
    "query": "RETRIEVAL_QUERY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "semantic_similarity": "SEMANTIC_SIMILARITY",
    "question_answering": "QUESTION_ANSWERING",
    "fact_verification": "FACT_VERIFICATION",
    "code_retrieval_query": "CODE_RETRIEVAL_QUERY",
    "task_type_unspecified": "",
}


class Text(NamedTuple):
    """One that is to become a vector."""

    text: str
    purpose: str = ""
    title: str = ""


class Words(NamedTuple):
    """How a provider is told what texts are for, by Google's names; with none it is not told at all.

    `is_of_each`: each text may have its own.
    """

    purposes: Mapping[str, str] = {}
    takes_titles: bool = False
    is_of_each: bool = False


SILENT: Final = Words()
GOOGLES: Final = Words({name: name for name in filter(None, _MEANT.values())}, takes_titles=True, is_of_each=True)
COHERES: Final = Words(
    {
        "RETRIEVAL_DOCUMENT": "search_document",
        "RETRIEVAL_QUERY": "search_query",
        "CLASSIFICATION": "classification",
        "CLUSTERING": "clustering",
    }
)


def purpose_of(said: Any, field: str) -> str:
    """By Google's name, or the caller's where nobody knows it. Raises BadRequest."""
    if said is None:
        return ""
    if not isinstance(said, str):
        raise BadRequest(f"`{field}` is a word, such as `search_query`", field=field)
    return _MEANT.get(said.lower(), said)


def fitted(texts: Iterable[Text], words: Words, field: str, provider: str, *, drops_unsupported: bool) -> list[Text]:
    """With each purpose in the provider's word. `field` is what the caller calls it. Raises CannotExpress."""
    found = []
    for text, purpose, title in texts:
        word = words.purposes.get(purpose, "")
        if purpose and not word and not drops_unsupported:
            raise CannotExpress(field, provider, f"it has no word for `{purpose}`" if words.purposes else "")
        if title and not words.takes_titles and not drops_unsupported:
            raise CannotExpress("title", provider)
        found.append(Text(text, word, title if words.takes_titles else ""))
    if words.is_of_each or len({text.purpose for text in found}) < 2:
        return found
    if not drops_unsupported:
        raise CannotExpress(field, provider, "it is told one for all texts")
    return [Text(text.text) for text in found]
