"""Keys of a provider, written and never read, and what an organization says of the provider's models."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.orgs.contracts import EnvironmentRef
from apps.routing.forms import CredentialChangeForm, CredentialForm, ProviderModelForm
from apps.routing.models import Credential, Provider, ProviderModel
from apps.routing.selectors.credentials import credentials_of
from apps.routing.selectors.providers import models_of_provider
from apps.routing.services import credentials, providers
from apps.routing.services.providers import refuse_file_owned
from apps.routing.views.pages import env_of, href_at
from apps.routing.views.providers import detail_page, stand_at
from brokle.web.actor import actor_of
from brokle.web.navigation import Line
from brokle.web.pages import act, page, submit


@never_cache
@require_POST
@login_required
def credential_add(request: HttpRequest, organization: str, provider_id: str) -> HttpResponse:
    place, provider = _changeable(request, organization, provider_id)
    form = CredentialForm(request.POST, prefix="credential")
    made = submit(
        form,
        lambda said: credentials.add_credential(
            provider=provider,
            secret=said["api_key"],
            actor=actor_of(request),
            name=said["name"],
            weight=said["weight"],
            environment_id=place.environment_id if said["is_own"] else None,
        ),
    )
    if made is None:
        return detail_page(request, place, provider, may_manage=True, credential_form=form)
    return _back(request, place, provider, _("The key is added; calls use it within a second."))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def credential_change(request: HttpRequest, organization: str, provider_id: str, credential_id: str) -> HttpResponse:
    """Its name and weight, and another secret where one is given."""
    place, provider = _changeable(request, organization, provider_id)
    credential = _credential(provider, credential_id)
    form = CredentialChangeForm(request.POST or None, initial={"name": credential.name, "weight": credential.weight})
    if request.method == "POST" and submit(form, lambda said: _changed(request, credential, said)) is not None:
        return _back(request, place, provider, _("Saved; every process knows it within a second."))
    context = {"form": form, "credential": credential, **_frame(place, provider, _("Key of the provider"))}
    return page(request, "routing/credential.html", context, form)


@never_cache
@require_POST
@login_required
def credential_remove(request: HttpRequest, organization: str, provider_id: str, credential_id: str) -> HttpResponse:
    place, provider = _changeable(request, organization, provider_id)
    credential = _credential(provider, credential_id)
    return act(
        request,
        href_at(place, "provider", provider.id),
        lambda: credentials.remove_credential(credential=credential, actor=actor_of(request)),
        _("The key is removed; within a second no call uses it."),
    )


@never_cache
@require_POST
@login_required
def provider_model_add(request: HttpRequest, organization: str, provider_id: str) -> HttpResponse:
    place, provider = _changeable(request, organization, provider_id)
    form = ProviderModelForm(request.POST, prefix="model")
    made = submit(
        form,
        lambda said: providers.add_model(
            provider=provider,
            actor=actor_of(request),
            name=said["name"],
            upstream_name=said["upstream_name"],
            context=said["context"],
            prices=form.prices(),
        ),
    )
    if made is None:
        return detail_page(request, place, provider, may_manage=True, model_form=form)
    return _back(request, place, provider, _("The model is added; calls know it within a second."))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def provider_model_change(request: HttpRequest, organization: str, provider_id: str, model_id: str) -> HttpResponse:
    """Its prices and size; under another name it would be another model."""
    place, provider = _changeable(request, organization, provider_id)
    model = _model(provider, model_id)
    form = ProviderModelForm(request.POST or None, initial=ProviderModelForm.facts_of(model))
    form.fields["name"].disabled = True
    if request.method == "POST" and submit(form, lambda said: _repriced(request, model, form, said)) is not None:
        return _back(request, place, provider, _("Saved; every process knows it within a second."))
    context = {"form": form, "model": model, **_frame(place, provider, _("Model of the provider"))}
    return page(request, "routing/provider-model.html", context, form)


@never_cache
@require_POST
@login_required
def provider_model_remove(request: HttpRequest, organization: str, provider_id: str, model_id: str) -> HttpResponse:
    place, provider = _changeable(request, organization, provider_id)
    model = _model(provider, model_id)
    return act(
        request,
        href_at(place, "provider", provider.id),
        lambda: providers.remove_model(model=model, actor=actor_of(request)),
        _("The model is removed; the catalogue's prices hold again."),
    )


def _changeable(request: HttpRequest, organization: str, provider_id: str) -> tuple[EnvironmentRef, Provider]:
    place, provider, _may = stand_at(request, organization, provider_id, "providers.manage")
    refuse_file_owned(provider)
    return place, provider


def _credential(provider: Provider, credential_id: str) -> Credential:
    return get_object_or_404(credentials_of(provider.organization_id, provider_id=provider.id), id=credential_id)


def _model(provider: Provider, model_id: str) -> ProviderModel:
    return get_object_or_404(models_of_provider(provider.organization_id, provider_id=provider.id), id=model_id)


def _changed(request: HttpRequest, credential: Credential, said: dict[str, Any]) -> Credential:
    actor, secret = actor_of(request), said["api_key"]
    changed = credentials.update_credential(
        credential=credential, actor=actor, name=said["name"], weight=said["weight"]
    )
    return credentials.rotate_credential(credential=changed, secret=secret, actor=actor) if secret else changed


def _repriced(
    request: HttpRequest, model: ProviderModel, form: ProviderModelForm, said: dict[str, Any]
) -> ProviderModel:
    changes = {"upstream_name": said["upstream_name"] or model.name, "context": said["context"]}
    return providers.update_model(model=model, actor=actor_of(request), prices=form.prices(model.prices), **changes)


def _back(request: HttpRequest, place: EnvironmentRef, provider: Provider, text: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponseRedirect(href_at(place, "provider", provider.id))


def _frame(place: EnvironmentRef, provider: Provider, title: str) -> dict[str, Any]:
    back = href_at(place, "provider", provider.id)
    crumbs = [
        Line("providers", _("Providers"), href_at(place, "providers")),
        Line("provider", _("Provider"), back),
        Line("here", title, ""),
    ]
    return {
        "breadcrumb": crumbs,
        "provider": provider,
        "back": back,
        "env": env_of(place),
        "organization": place.organization.slug,
    }
