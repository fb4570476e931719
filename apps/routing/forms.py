from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.routing.models import Provider, ProviderModel, UsageLimit
from apps.routing.selectors.options import Option, options_of

_CODE = {"dir": "ltr", "autocomplete": "off", "spellcheck": "false"}
_AUTO = {"dir": "auto", "autocomplete": "off"}
_DEAREST = Decimal(1_000_000)
_MICROS = 1_000_000


def _secret_field(label: Any, *, is_required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=8192,
        required=is_required,
        help_text=_("Stored encrypted and never shown again."),
        widget=forms.PasswordInput(attrs=_CODE),
    )


def _option_field(option: Option, value: str) -> forms.Field:
    told = {"label": _(option.title) if option.title else option.name, "required": option.is_needed, "initial": value}
    told["help_text"] = _(option.meaning) if option.meaning else ""
    if option.choices:
        return forms.ChoiceField(choices=[(key, _(title)) for key, title in option.choices], **told)
    return forms.CharField(max_length=120, widget=forms.TextInput(attrs=_CODE), **told)


class _ProviderFields(forms.Form):
    name = forms.RegexField(
        r"^[a-z0-9][a-z0-9._-]{0,59}$",
        label=_("Name"),
        help_text=_("What callers write before the slash: small letters, digits, dots and hyphens."),
        widget=forms.TextInput(attrs=_CODE),
    )
    base_url = forms.CharField(label=_("Address"), max_length=500, widget=forms.TextInput(attrs=_CODE))

    def __init__(self, *given: Any, base_url: str, kind: str, **more: Any) -> None:
        """What an address leaves open, such as a region, is asked for, and what such a provider may be told beside."""
        super().__init__(*given, **more)
        self.asked = options_of(kind, base_url)
        options = (self.initial or {}).get("options", {})
        for option in self.asked:
            self.fields[f"option_{option.name}"] = _option_field(option, options.get(option.name, ""))

    @property
    def option_fields(self) -> list[Any]:
        """Those without a title of ours are called as the address calls them."""
        return [(self[f"option_{option.name}"], "" if option.title else option.name) for option in self.asked]

    def options(self, known: dict[str, str] | None = None) -> dict[str, str]:
        """What was emptied is told no more; what the form does not ask for stays."""
        said = {option.name: self.cleaned_data[f"option_{option.name}"] for option in self.asked}
        rest = {name: value for name, value in (known or {}).items() if name not in said}
        return rest | {name: value for name, value in said.items() if value}


class NewProviderForm(_ProviderFields):
    api_key = _secret_field(_("Key of the provider"), is_required=False)
    for_all_projects = forms.BooleanField(
        label=_("For all projects"), required=False, help_text=_("Every project of the organization may call it.")
    )

    field_order = ("name", "base_url", "api_key", "for_all_projects")


class ProviderForm(_ProviderFields):
    is_open = forms.BooleanField(
        label=_("Open to all models"), required=False, help_text=_("Models that nobody listed may be called too.")
    )
    is_enabled = forms.BooleanField(label=_("Enabled"), required=False)

    @staticmethod
    def facts_of(provider: Provider) -> dict[str, Any]:
        names = ("name", "base_url", "options", "is_open", "is_enabled")
        return {name: getattr(provider, name) for name in names}


class CredentialForm(forms.Form):
    """A further key of a provider; the environment's own shut out the shared ones there."""

    name = forms.CharField(label=_("Name"), max_length=60, widget=forms.TextInput(attrs={"dir": "auto"}))
    api_key = _secret_field(_("Key of the provider"))
    weight = forms.IntegerField(
        label=_("Weight"),
        min_value=0,
        max_value=10_000,
        initial=1,
        help_text=_("How often it is taken beside the others."),
    )
    is_own = forms.BooleanField(
        label=_("Only for this environment"),
        required=False,
        help_text=_("Where an environment has keys of its own, the shared ones are not used there."),
    )


class CredentialChangeForm(forms.Form):
    """An empty key leaves the one that is there."""

    name = forms.CharField(label=_("Name"), max_length=60, widget=forms.TextInput(attrs={"dir": "auto"}))
    weight = forms.IntegerField(label=_("Weight"), min_value=0, max_value=10_000)
    api_key = _secret_field(_("Another key in its place"), is_required=False)


class ProviderModelForm(forms.Form):
    """A model that the catalogue does not know, or another price for one that it knows."""

    name = forms.CharField(label=_("Name"), max_length=200, widget=forms.TextInput(attrs=_CODE))
    upstream_name = forms.CharField(
        label=_("Name at the provider"),
        max_length=200,
        required=False,
        help_text=_("Where it differs."),
        widget=forms.TextInput(attrs=_CODE),
    )
    input = forms.DecimalField(
        label=_("Input, dollars a million tokens"), min_value=0, max_value=_DEAREST, decimal_places=12, required=False
    )
    output = forms.DecimalField(
        label=_("Output, dollars a million tokens"), min_value=0, max_value=_DEAREST, decimal_places=12, required=False
    )
    context = forms.IntegerField(
        label=_("Context, tokens"),
        min_value=1,
        max_value=100_000_000,
        required=False,
        help_text=_("The catalogue's when left out."),
    )

    @staticmethod
    def facts_of(model: ProviderModel) -> dict[str, Any]:
        prices = {name: model.prices.get(name) for name in ("input", "output")}
        upstream = model.upstream_name if model.upstream_name != model.name else ""
        return {"name": model.name, "upstream_name": upstream, "context": model.context, **prices}

    def prices(self, known: dict[str, str] | None = None) -> dict[str, str]:
        """As exact text. What the form does not ask for stays; an emptied price is the catalogue's again."""
        rest = {name: value for name, value in (known or {}).items() if name not in {"input", "output"}}
        said = {name: self.cleaned_data[name] for name in ("input", "output")}
        return rest | {name: format(value.normalize(), "f") for name, value in said.items() if value is not None}


class LimitForm(forms.Form):
    """How much of what for whom. An amount is dollars where money is measured, and a whole number of all else."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        help_text=_("Callers who are refused read it."),
        widget=forms.TextInput(attrs=_AUTO),
    )
    subject = forms.ChoiceField(label=_("Counted together"))
    only = forms.CharField(
        label=_("Only for"),
        max_length=200,
        required=False,
        help_text=_("The id of a key or user, or the name of a route, model or provider; empty means each of them."),
        widget=forms.TextInput(attrs=_CODE),
    )
    measured = forms.ChoiceField(label=_("What is measured"))
    amount = forms.DecimalField(
        label=_("At most"), min_value=Decimal("0.000001"), max_value=Decimal(10**12), decimal_places=6
    )
    window = forms.ChoiceField(
        label=_("Period"),
        required=False,
        help_text=_("Minutes, hours and days slide; money is counted by the calendar; calls at once have no time."),
    )
    is_soft = forms.BooleanField(
        label=_("Only warn"), required=False, help_text=_("Of a budget: tells when it runs low, and refuses nobody.")
    )
    for_all_projects = forms.BooleanField(
        label=_("In all projects"), required=False, help_text=_("Counted across all projects of the organization.")
    )

    def __init__(self, *given: Any, choices: dict[str, list[tuple[str, str]]], known: Any = None, **more: Any) -> None:
        """Of one that is known, who and what it counts cannot change: another limit counts another thing."""
        super().__init__(*given, **more)
        self._known = known
        for name, offered in choices.items():
            self.fields[name].choices = offered  # type: ignore[attr-defined]
        for name in ("name", "subject", "measured", "for_all_projects") if known else ():
            del self.fields[name]

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        measured = self._known.measured if self._known else said.get("measured")
        amount = said.get("amount")
        if amount is None:
            return said
        if measured == "usd":
            said["amount"] = int(amount * _MICROS)
        elif amount != int(amount):
            self.add_error("amount", _("This is counted in whole numbers."))
        else:
            said["amount"] = int(amount)
        return said

    @staticmethod
    def facts_of(limit: UsageLimit) -> dict[str, Any]:
        amount = Decimal(limit.amount) / (_MICROS if limit.measured == "usd" else 1)
        return {"only": limit.only, "amount": f"{amount:f}", "window": limit.window, "is_soft": limit.is_soft}


class TargetForm(forms.Form):
    """A row of a route; without a model it is not there."""

    model = forms.CharField(label=_("Model"), max_length=200, required=False, widget=forms.TextInput(attrs=_CODE))
    weight = forms.IntegerField(label=_("Weight"), min_value=0, max_value=10_000, initial=1, required=False)
    timeout_ms = forms.IntegerField(label=_("Deadline, ms"), min_value=1, max_value=3_600_000, required=False)
    when = forms.CharField(
        label=_("Only when"), max_length=4000, required=False, widget=forms.Textarea(attrs={**_CODE, "rows": 2})
    )

    def clean_when(self) -> dict[str, Any]:
        return read_conditions(self.cleaned_data["when"])

    @staticmethod
    def facts_of(target: dict[str, Any]) -> dict[str, Any]:
        when = write_conditions(target.get("when", {}))
        own = {"weight": target.get("weight", 1), "timeout_ms": target.get("timeout_ms")}
        return {"model": target["model"], "when": when, **own}


TargetForms = forms.formset_factory(TargetForm, extra=2, max_num=50, absolute_max=52)


class RouteForm(forms.Form):
    name = forms.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$",
        label=_("Name"),
        help_text=_("What callers ask for instead of a model."),
        widget=forms.TextInput(attrs=_CODE),
    )
    strategy = forms.ChoiceField(label=_("Order of the targets"))
    retries = forms.IntegerField(
        label=_("Retries"),
        min_value=0,
        max_value=10,
        initial=0,
        help_text=_("Of the whole call, after every target was asked."),
    )
    timeout_ms = forms.IntegerField(
        label=_("Deadline, milliseconds"),
        min_value=1,
        max_value=3_600_000,
        initial=600_000,
        help_text=_("Of the whole call, all attempts together."),
    )
    sticky = forms.ChoiceField(
        label=_("Keep to one target"),
        required=False,
        choices=[("", _("No")), ("user", _("For each user")), ("session", _("For each session"))],
    )
    fallback_on = forms.MultipleChoiceField(
        label=_("Ask the next target after"), required=False, widget=forms.CheckboxSelectMultiple
    )
    shadow_model = forms.CharField(
        label=_("Shadow model"),
        max_length=200,
        required=False,
        help_text=_("Gets a copy of calls; its answers are kept and given to nobody."),
        widget=forms.TextInput(attrs=_CODE),
    )
    shadow_percent = forms.DecimalField(
        label=_("Share of calls for the shadow, percent"), min_value=0, max_value=100, initial=100, required=False
    )
    hedge_after_ms = forms.IntegerField(
        label=_("Ask a rival after, milliseconds"),
        min_value=0,
        max_value=600_000,
        initial=0,
        help_text=_("Where nobody has begun to answer by then; 0 asks none."),
    )

    def __init__(
        self, *given: Any, strategies: list[tuple[str, str]], causes: list[tuple[str, str]], **more: Any
    ) -> None:
        super().__init__(*given, **more)
        self.fields["strategy"].choices = strategies  # type: ignore[attr-defined]
        self.fields["fallback_on"].choices = causes  # type: ignore[attr-defined]

    @staticmethod
    def facts_of(name: str, definition: dict[str, Any]) -> dict[str, Any]:
        shadow = definition.get("shadow") or {}
        told = {"shadow_model": shadow.get("model", ""), "shadow_percent": shadow.get("percent", 100)}
        return {**definition, "name": name, **told}

    def definition(self, targets: list[dict[str, Any]], known: dict[str, Any]) -> dict[str, Any]:
        """What the form does not ask for stays as it is known."""
        said = self.cleaned_data
        names = ("strategy", "retries", "timeout_ms", "sticky", "fallback_on", "hedge_after_ms")
        found = {**known, **{name: said[name] for name in names}, "targets": targets}
        found.pop("shadow", None)
        if said["shadow_model"]:
            percent = said["shadow_percent"] if said["shadow_percent"] is not None else 100
            found["shadow"] = {"model": said["shadow_model"], "percent": float(percent)}
        return found


_NUMBERS = frozenset({"input_tokens", "hour", "weekday"})


def read_conditions(text: str) -> dict[str, Any]:
    """One a line: `tag.tier: gold, silver`, `input_tokens: 8000..`, `hour: 9..17`."""
    found: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, asked = (part.strip() for part in line.partition(":"))
        if not colon or not asked:
            raise forms.ValidationError(_("Write a condition as `name: value`, one a line."))
        found[name] = _bounds(asked) if name in _NUMBERS else _one_or_more([part.strip() for part in asked.split(",")])
    return found


def write_conditions(when: dict[str, Any]) -> str:
    def said(asked: Any) -> str:
        if isinstance(asked, dict):
            return f"{_bound(asked.get('min'))}..{_bound(asked.get('max'))}"
        if isinstance(asked, list):
            return ", ".join(map(said, asked))
        return str(asked).lower() if isinstance(asked, bool) else str(asked)

    return "\n".join(f"{name}: {said(asked)}" for name, asked in when.items())


def _bound(value: Any) -> str:
    return "" if value is None else str(value)


def _bounds(asked: str) -> Any:
    try:
        if ".." in asked:
            low, _dots, high = asked.partition("..")
            ends = {"min": low.strip(), "max": high.strip()}
            return {name: int(end) for name, end in ends.items() if end}
        return _one_or_more([int(part) for part in asked.split(",")])
    except ValueError:
        raise forms.ValidationError(_("This condition takes numbers, such as `8000..` or `9..17`.")) from None


def _one_or_more(values: list[Any]) -> Any:
    kept = [value for value in values if value != ""]
    return kept[0] if len(kept) == 1 else kept
