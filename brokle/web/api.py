"""What every endpoint under `/api/v1/` stands on: strict JSON, declared filters, cursor pages, one run per key."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.viewsets import GenericViewSet

from brokle.edge.principal import Principal
from brokle.kernel.errors import BadRequest, BrokleError
from brokle.web import problems
from brokle.web.idempotency import HEADER, REPLAYED, Answer, Call, run_once
from brokle.web.pagination import CursorPages
from brokle.web.schema import ApiSchema

_VALUE_LONGEST = 200
_PAGE_PARAMETERS = frozenset({CursorPages.cursor_name, CursorPages.limit_name})


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter of a list. `choices` empty means any text."""

    name: str
    meaning: str
    narrow: Callable[[QuerySet[Any], str], QuerySet[Any]]
    choices: tuple[str, ...] = ()

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if self.choices and value not in self.choices:
            raise BadRequest(f"`{self.name}` is one of {', '.join(self.choices)}", field=self.name)
        if len(value) > _VALUE_LONGEST or not value.isprintable():
            raise BadRequest(f"`{self.name}` holds at most {_VALUE_LONGEST} printable characters", field=self.name)
        return self.narrow(rows, value)


class ApiViewSet(GenericViewSet):
    """Subclasses find what the caller may access, parse, make one service call and respond."""

    key_scope: str | None = "admin"
    filters: tuple[Filter, ...] = ()
    own_parameters: frozenset[str] = frozenset()
    pagination_class = CursorPages
    schema = ApiSchema()

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        _ = request._request.body  # noqa: SLF001 - read before anything consumes the stream: the key needs its hash
        super().initial(request, *args, **kwargs)
        self._refuse_unknown_parameters(request)
        if request.method == "POST" and HEADER in request.headers and hasattr(self, "post"):
            self.post = partial(self._once, self.post)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in getattr(getattr(request, "_request", request), "rate_headers", {}).items():
            response[name] = value
        response.headers.setdefault("cache-control", "no-store")
        return response

    def page_of(self, rows: QuerySet[Any]) -> Any:
        """The answer to a list: filtered as declared, one page of it."""
        page = self.paginate_queryset(self.filtered(rows))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def filtered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        for declared in self.filters:
            if declared.name in self.request.query_params:
                rows = declared.apply(rows, self.request.query_params[declared.name])
        return rows

    def _refuse_unknown_parameters(self, request: Any) -> None:
        """A misspelled filter must not answer with everything."""
        known = set(self.own_parameters)
        if self.action == "list":
            known |= _PAGE_PARAMETERS | {declared.name for declared in self.filters}
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            allowed = ", ".join(sorted(known)) or "none"
            raise BadRequest(
                f"Unknown query parameter `{unknown[0][:40]}`; known here: {allowed}", field=unknown[0][:40]
            )

    def _once(self, handler: Callable[..., Any], request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        call = Call.of(
            scope=caller_scope(request),
            key=request.headers[HEADER],
            method=request.method,
            path=request.get_full_path(),
            body=request._request.body,  # noqa: SLF001 - the bytes as sent
        )
        answer = run_once(call, lambda: self._answer(handler, request, *args, **kwargs))
        response = HttpResponse(answer.body, status=answer.status, headers=answer.headers)
        if answer.is_replay:
            response[REPLAYED] = "true"
        return response

    def _answer(self, handler: Callable[..., Any], request: Any, *args: Any, **kwargs: Any) -> Answer:
        """A refusal by the domain is an answer; one of the parser came before the work began and is not kept."""
        try:
            with transaction.atomic():
                response = handler(request, *args, **kwargs)
        except BrokleError as error:
            response = problems.from_error(request, error)
        response = super().finalize_response(request, response, *args, **kwargs)
        if hasattr(response, "render"):
            response.render()
        return Answer(response.status_code, dict(response.headers), response.content)


def caller_scope(request: Any) -> str:
    """Whose idempotency keys these are: an organization's key, or a person.

    A visitor's stand by what they send: nobody can take a key away from somebody else, or be given their answer.
    """
    if isinstance(request.auth, Principal):
        return f"{request.auth.organization_id}:{request.auth.key_id}"
    if not request.user.is_authenticated:
        return f"visitor:{hashlib.sha256(request._request.body).hexdigest()}"  # noqa: SLF001 - the bytes as sent
    return f"user:{request.user.pk}"
