from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.orgs.services.keys import Bounds
from brokle.kernel.clock import utc_now
from brokle.kernel.extensions import event_types


class OwnerForm(forms.Form):
    """The first account of an installation, with its organization."""

    name = forms.CharField(
        label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name", "dir": "auto"})
    )
    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email", "dir": "ltr"})
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=200,
        strip=False,
        help_text=_("At least 10 characters."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "dir": "ltr"}),
    )
    organization = forms.CharField(
        label=_("Organization"),
        max_length=120,
        help_text=_("Your company or team; it can be renamed later."),
        widget=forms.TextInput(attrs={"autocomplete": "organization", "dir": "auto"}),
    )

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        try:
            password_validation.validate_password(password)
        except ValidationError as error:
            raise forms.ValidationError(list(error.messages)) from error
        return password


class OrganizationForm(forms.Form):
    """A further organization of somebody who has an account."""

    organization = forms.CharField(
        label=_("Organization"),
        max_length=120,
        help_text=_("Your company or team; it can be renamed later."),
        widget=forms.TextInput(attrs={"autocomplete": "organization", "dir": "auto"}),
    )
    project = forms.CharField(
        label=_("First project"),
        max_length=120,
        required=False,
        help_text=_("What you are building; empty calls it default."),
        widget=forms.TextInput(attrs={"dir": "auto"}),
    )


def _slug_field() -> forms.CharField:
    return forms.CharField(
        label=_("Address"),
        max_length=50,
        required=False,
        help_text=_("Small Latin letters, digits and hyphens; made from the name when empty."),
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off", "spellcheck": "false"}),
    )


def _name_field(longest: int = 120) -> forms.CharField:
    widget = forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"})
    return forms.CharField(label=_("Name"), max_length=longest, widget=widget)


class GeneralForm(forms.Form):
    name = _name_field()
    slug = _slug_field()


class ProjectForm(forms.Form):
    name = _name_field()
    slug = _slug_field()


class EnvironmentForm(forms.Form):
    name = _name_field(60)
    slug = _slug_field()
    color = forms.ChoiceField(
        label=_("Color"),
        choices=[
            ("ok", _("Green")),
            ("warn", _("Amber")),
            ("bad", _("Red")),
            ("accent", _("Blue")),
            ("idle", _("Gray")),
        ],
    )
    is_live = forms.BooleanField(
        label=_("Live"), required=False, help_text=_("Where real users are; its keys say so in their form.")
    )


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off", "dir": "ltr"})
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[
            ("owner", _("Owner")),
            ("admin", _("Administrator")),
            ("developer", _("Developer")),
            ("viewer", _("Viewer")),
            ("billing", _("Billing")),
            ("consumer", _("Consumer")),
        ],
    )

    def __init__(self, *args: Any, may_own: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not may_own:
            role = cast("forms.ChoiceField", self.fields["role"])
            role.choices = [choice for choice in role.choices if choice[0] != "owner"]


class TokenForm(forms.Form):
    name = _name_field()
    days = forms.ChoiceField(
        label=_("Ends"),
        required=False,
        choices=[("30", _("In 30 days")), ("90", _("In 90 days")), ("365", _("In a year")), ("", _("Never"))],
    )
    is_read_only = forms.BooleanField(
        label=_("Only read"), required=False, help_text=_("It can look at everything you can, and change nothing.")
    )


class LimitsForm(forms.Form):
    """The operator's word over an organization's plan."""

    plan = forms.ChoiceField(label=_("Plan"))
    members_limit = forms.IntegerField(
        label=_("Members at most"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=_("Empty: as the plan says."),
    )
    projects_limit = forms.IntegerField(
        label=_("Projects at most"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=_("Empty: as the plan says."),
    )

    def __init__(self, *args: Any, plans: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        cast("forms.ChoiceField", self.fields["plan"]).choices = plans


class SupportForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        help_text=_("Its owners read it, in a mail and in their log."),
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
    )
    level = forms.ChoiceField(
        label=_("To"),
        initial="look",
        choices=[("look", _("Look, as a viewer")), ("help", _("Help, as an administrator"))],
    )


class _LinesField(forms.CharField):
    """One value a line."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 2, "dir": "ltr", "spellcheck": "false"})
        super().__init__(required=False, max_length=4000, widget=widget, **options)

    def clean(self, value: Any) -> list[str]:
        text = str(super().clean(value))
        return [line.strip() for line in text.splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class KeyForm(forms.Form):
    name = _name_field()
    scopes = forms.MultipleChoiceField(
        label=_("May"),
        widget=forms.CheckboxSelectMultiple,
        choices=[
            ("gateway", _("Call models")),
            ("ingest", _("Send telemetry")),
            ("decide", _("Ask for decisions")),
            ("invoke", _("Call hosted endpoints")),
            ("admin", _("Manage this project")),
        ],
    )
    requests_per_minute = forms.IntegerField(
        label=_("Requests a minute"), required=False, min_value=1, max_value=10_000_000
    )
    tokens_per_minute = forms.IntegerField(
        label=_("Tokens a minute"), required=False, min_value=1, max_value=2_000_000_000
    )
    budget_usd = forms.DecimalField(
        label=_("Budget in US dollars"), required=False, min_value=Decimal("0.01"), max_digits=12, decimal_places=2
    )
    budget_window = forms.ChoiceField(
        label=_("Budget for"), choices=[("day", _("A day")), ("month", _("A month")), ("total", _("All time"))]
    )
    allowed_models = _LinesField(label=_("Models"), help_text=_("One a line; empty allows all."))
    allowed_ips = _LinesField(
        label=_("Addresses"), help_text=_("IP addresses or ranges, one a line; empty allows all.")
    )
    allowed_origins = _LinesField(label=_("Web origins"), help_text=_("Such as those of your app, one a line."))
    expires_on = forms.DateField(
        label=_("Last day"), required=False, widget=forms.DateInput(attrs={"type": "date", "dir": "ltr"})
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["budget_window"].required = False

    def clean_expires_on(self) -> date | None:
        day: date | None = self.cleaned_data["expires_on"]
        if day is not None and day < utc_now().date():
            raise forms.ValidationError(_("This day has passed."))
        return day

    def bounds(self) -> Bounds:
        data = self.cleaned_data
        day, dollars = data["expires_on"], data["budget_usd"]
        return Bounds(
            allowed_models=data["allowed_models"],
            allowed_ips=data["allowed_ips"],
            allowed_origins=data["allowed_origins"],
            requests_per_minute=data["requests_per_minute"],
            tokens_per_minute=data["tokens_per_minute"],
            budget_usd_micros=int(dollars * 1_000_000) if dollars else None,
            budget_window=data["budget_window"] or "month",
            expires_at=datetime.combine(day, time.max, UTC).replace(microsecond=0) if day else None,
        )

    @staticmethod
    def facts_of(key: Any) -> dict[str, Any]:
        names = ("name", "scopes", "requests_per_minute", "tokens_per_minute", "budget_window")
        lists = ("allowed_models", "allowed_ips", "allowed_origins")
        facts = {name: getattr(key, name) for name in (*names, *lists)}
        facts["budget_usd"] = Decimal(key.budget_usd_micros) / 1_000_000 if key.budget_usd_micros else None
        facts["expires_on"] = key.expires_at.date() if key.expires_at else None
        return facts


def _event_choices() -> list[tuple[str, str]]:
    return [(event.key, event.title) for event in event_types.collect()]


class WebhookForm(forms.Form):
    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("Where messages are sent by POST: https, and a public host."),
        widget=forms.URLInput(attrs={"dir": "ltr", "spellcheck": "false", "autocomplete": "off"}),
    )
    description = forms.CharField(
        label=_("Description"), max_length=200, required=False, widget=forms.TextInput(attrs={"dir": "auto"})
    )
    event_types = forms.MultipleChoiceField(label=_("Events"), choices=_event_choices, required=False)
