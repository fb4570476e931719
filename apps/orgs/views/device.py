from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.orgs.services import devices
from brokle.kernel.errors import NotFound
from brokle.web.rates import demand_rate


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def device(request: HttpRequest) -> HttpResponse:
    """A person sees which command line asks, from where, and says yes or no."""
    asked = request.POST.get("code") or request.GET.get("code") or ""
    if not asked:
        return render(request, "auth/device.html", {"state": "ask"})
    demand_rate("device-code", str(request.user.pk), amount=20, window_s=60)
    grant = devices.find_waiting(asked[:40])
    if grant is None:
        error = _("No command line waits with this code; it may have expired.")
        return render(request, "auth/device.html", {"state": "ask", "code": asked[:40], "error": error}, status=404)
    if request.method != "POST":
        return render(request, "auth/device.html", {"state": "decide", "grant": grant})
    approves = request.POST.get("decision") == "approve"
    try:
        devices.decide(grant_id=grant.id, user_id=str(request.user.pk), approves=approves)
    except NotFound:
        approves = False
    return render(request, "auth/device.html", {"state": "approved" if approves else "denied", "grant": grant})
