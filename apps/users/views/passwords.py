from typing import Any

from allauth.account import views as account

from apps.users.views.pages import Page, whole


class Reset(Page, account.PasswordResetView):
    template_name = "auth/password-reset.html"


class ResetSent(account.PasswordResetDoneView):
    template_name = "auth/password-reset-sent.html"


class ResetFromLink(Page, account.PasswordResetFromKeyView):
    template_name = "auth/password-new.html"

    def render_to_response(self, context: dict[str, Any], **more: Any) -> Any:
        return super().render_to_response(context, status=410 if context.get("token_fail") else 200, **more)


class ResetDone(account.PasswordResetFromKeyDoneView):
    template_name = "auth/password-reset-done.html"


class Change(Page, account.PasswordChangeView):
    template_name = "settings/password.html"


class SetFirst(Page, account.PasswordSetView):
    template_name = "settings/password.html"


class Again(Page, account.ReauthenticateView):
    template_name = "auth/again.html"


reset = whole(Reset.as_view())
reset_sent = ResetSent.as_view()
reset_from_link = whole(ResetFromLink.as_view())
reset_done = ResetDone.as_view()
change = whole(Change.as_view())
set_first = whole(SetFirst.as_view())
again = whole(Again.as_view())
