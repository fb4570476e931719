import pytest

from apps.users.testing import forget_limits, make_verified_person


@pytest.fixture(autouse=True)
def _no_limits_from_before():
    forget_limits()


@pytest.fixture
def amal(db):
    return make_verified_person(name="Amal Haddad")


@pytest.fixture
def mandatory(settings):
    """As with a mail relay."""
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
