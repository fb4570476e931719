import pytest

from apps.orgs import forms as orgs
from apps.users import forms as users
from brokle.web.gallery import samples


@pytest.mark.parametrize(
    ("sample", "form"),
    [
        (samples.OwnerForm, orgs.OwnerForm),
        (samples.OrganizationForm, orgs.OrganizationForm),
        (samples.SignInForm, users.SignInForm),
    ],
    ids=lambda form: form.__module__,
)
def test_the_pages_of_the_gallery_hold_the_fields_of_the_product(sample, form):
    assert str(sample()) == str(form())
